"""How a process is kept to the local AWS: nothing of the user's own AWS set-up may reach its clients.

Profiles, credentials, SSO sessions and endpoint overrides come to boto3 through the environment and ~/.aws. A
process that talks to the local stack drops them all, so that a slip can never touch a real account.
"""

import os
from collections.abc import MutableMapping

from megallm.stores.aws import AwsTarget

REGION = "us-east-1"
ACCESS_KEY_ID = "local"
SECRET_ACCESS_KEY = "local"  # noqa: S105  # it opens nothing


def local_target(endpoint_url: str) -> AwsTarget:
    """The local AWS at an address, with credentials that are good for nothing else."""
    return AwsTarget(
        region=REGION, endpoint_url=endpoint_url, access_key_id=ACCESS_KEY_ID, secret_access_key=SECRET_ACCESS_KEY
    )


def enter_local_aws(environ: MutableMapping[str, str], endpoint_url: str) -> None:
    """Replaces all AWS settings of a process's environment by those of the local stack."""
    for name in [name for name in environ if name.startswith(("AWS_", "BOTO_"))]:
        del environ[name]
    environ.update(
        AWS_ACCESS_KEY_ID=ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY=SECRET_ACCESS_KEY,
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        AWS_ENDPOINT_URL=endpoint_url,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
    )
    # A proxy would be asked for 127.0.0.1 and, from elsewhere, could not reach it.
    local = {"127.0.0.1", "localhost"}
    for name in ("NO_PROXY", "no_proxy"):
        environ[name] = ",".join(sorted(local | set(filter(None, environ.get(name, "").split(",")))))
