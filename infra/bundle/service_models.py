"""botocore's data, cut down to the services in use: parsing all endpoints of all of AWS takes longer than a request."""

import json
import shutil
from pathlib import Path
from typing import Any

# By botocore's names: those that the stores ask, and STS, which a profile's role may need.
SERVICES = frozenset({"dynamodb", "events", "s3", "secretsmanager", "sqs", "ssm", "sts"})


def cut_down(data: Path) -> None:
    """*data* is botocore/data."""
    for service in data.iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
    for path in data.glob("*/*/examples-1.json"):
        path.unlink()
    endpoints = data / "endpoints.json"
    endpoints.write_text(json.dumps(of_services(json.loads(endpoints.read_text())), separators=(",", ":")))


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
