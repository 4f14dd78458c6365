"""The CDK app: reads the context, builds the bundle, makes the stack, and lets cdk-nag look at it.

    python -m infra.app

writes the cloud assembly to where the CDK CLI wants it, without it to cdk.out/.
"""

import os
import sys
from pathlib import Path

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from infra.bundle.build import BundleFailed, build
from infra.bundle.files import Bundle
from infra.nag import acknowledge
from infra.options import BrokenOptions, Options
from infra.stack import GatewayStack
from infra.upstreams import UndeployableCatalog
from megallm.catalog.file_format import BrokenCatalog
from megallm.composition.catalogue import load_catalog

ROOT = Path(__file__).resolve().parents[1]


def make(app: App, options: Options, bundle: Bundle) -> GatewayStack:
    """The stack in its app, with what checks it. Raises BrokenOptions, BrokenCatalog or UndeployableCatalog."""
    stack = GatewayStack(app, options.name, options=options, catalog=load_catalog(options.catalog), bundle=bundle)
    acknowledge(stack)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return stack


def main() -> int:
    """The exit status: 1 where something that was chosen cannot be."""
    app = App(outdir=os.environ.get("CDK_OUTDIR", str(ROOT / "cdk.out")))
    try:
        options = Options.from_context(app.node.get_all_context())
        bundle = build(options, ROOT / "cdk.out")
        make(app, options, bundle)
    except (BrokenOptions, BrokenCatalog, BundleFailed, UndeployableCatalog) as problem:
        sys.stderr.write(f"\n{problem}\n")
        return 1
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
