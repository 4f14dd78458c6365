"""What moto's S3 leaves out for us: the version of a new object, in what it tells of it."""

from typing import Any

from moto.s3 import notifications

_MARK = "megallm_mended"


def mend_s3() -> None:
    """Puts the version into the events of buckets that keep versions, as S3 does; more than once does no harm."""
    original = notifications._get_s3_event  # noqa: SLF001  the one place that has both the event and the object
    if hasattr(original, _MARK):
        return

    def with_version(event_name: str, bucket: Any, key: Any, notification_id: str) -> dict[str, list[dict[str, Any]]]:
        event = original(event_name, bucket, key, notification_id)
        if bucket.versioning_status == "Enabled":
            event["Records"][0]["s3"]["object"]["versionId"] = key.version_id
        return event

    setattr(with_version, _MARK, True)
    notifications._get_s3_event = with_version  # noqa: SLF001  as above
