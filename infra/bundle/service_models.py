"""botocore's data, cut down to the services in use: parsing all endpoints of all of AWS takes longer than a request.

Of a service's own description most is pages for people, which every client that is made would unpack and parse.
"""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

# By botocore's names: those that the stores ask, and STS, which a profile's role may need.
SERVICES = frozenset({"dynamodb", "events", "s3", "secretsmanager", "sqs", "ssm", "sts"})
# botocore does not do without the texts of these: S3 has some.
_WITH_ITS_TEXTS = "clientContextParams"


def cut_down(data: Path) -> None:
    """*data* is botocore/data."""
    for service in data.iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
    for path in data.glob("*/*/examples-1.json"):
        path.unlink()
    for path in data.glob("*/*/*.json.gz"):
        # Plain, since the bundle is packed as a whole; botocore looks for that first.
        _write(path.with_suffix(""), without_documentation(json.loads(gzip.decompress(path.read_bytes()))))
        path.unlink()
    endpoints = data / "endpoints.json"
    _write(endpoints, of_services(json.loads(endpoints.read_text())))


def of_services(endpoints: dict[str, Any]) -> dict[str, Any]:
    """All partitions and regions, with the endpoints of our services alone."""
    partitions = [
        {
            **partition,
            "services": {name: value for name, value in partition["services"].items() if name in SERVICES},
        }
        for partition in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}


def without_documentation(model: Any) -> Any:  # Any: JSON
    """The same without the texts about it; a member that is called so has a shape, no text, and stays."""
    match model:
        case dict():
            return {
                name: value if name == _WITH_ITS_TEXTS else without_documentation(value)
                for name, value in model.items()
                if name != "documentation" or not isinstance(value, str)
            }
        case list():
            return [without_documentation(value) for value in model]
        case _:
            return model


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")))
