"""A process with a batch function's environment: imports its handler, and gives it the events of standard input.

    python -m tests.functions.invoke_batches worker

Prints an answer a line, and at last which of the web's modules were loaded on the way.
"""

import json
import sys
from importlib import import_module

from tests.functions.batch_context import Remaining

WEB = {"fastapi", "mangum", "starlette", "uvicorn"}


def main(role: str) -> None:
    handler = import_module(f"functions.batch_{role}.handler").handler
    answers = [handler(json.loads(line), Remaining()) for line in sys.stdin]
    loaded = sorted({name.partition(".")[0] for name in sys.modules} & WEB)
    print(json.dumps({"answers": answers, "web": loaded}), file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
