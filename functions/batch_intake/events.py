"""What S3 tells of new objects, in the body of a queue's message.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from pydantic_core import from_json


@dataclass(frozen=True, slots=True)
class Dropped:
    """A new object. ``version`` is "" where the event has none."""

    bucket: str
    key: str
    version: str


def dropped_in(body: str) -> list[Dropped] | None:
    """The objects that a message tells of; none for S3's test of a new notification. None: it is not from S3."""
    try:
        content: Any = from_json(body)  # Any: JSON of AWS's making, or somebody else's
    except ValueError:
        return None
    match content:
        case {"Event": "s3:TestEvent"}:
            return []
        case {"Records": [{"eventSource": "aws:s3"}, *_] as records}:
            return [_dropped(record["s3"]) for record in records if _is_file(record)]
        case _:
            return None


def _is_file(record: Any) -> bool:
    """A new object that is not merely a folder, as S3's console makes them."""
    return str(record["eventName"]).startswith("ObjectCreated:") and not record["s3"]["object"]["key"].endswith(
        ("/", "%2F")
    )


def _dropped(s3: Any) -> Dropped:
    item = s3["object"]
    return Dropped(s3["bucket"]["name"], unquote_plus(item["key"]), item.get("versionId", ""))
