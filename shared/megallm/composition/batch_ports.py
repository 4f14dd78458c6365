"""The stores of the batches, from the settings; each is made, and its modules are loaded, when it is first used."""

from megallm.composition.late import late
from megallm.operations.batch_ports import BatchEvents, BatchPorts, BatchQueues, BatchStore, ObjectStore
from megallm.settings import PREFIX, BrokenSettings, Settings
from megallm.stores.aws import AwsTarget


def batch_ports(settings: Settings, aws: AwsTarget) -> BatchPorts | None:
    """All of them; None where the settings name no bucket. Raises BrokenSettings where they name one, and no queues."""
    bucket = settings.batches_bucket
    if bucket is None:
        return None
    queues = _queue_urls(settings)
    return BatchPorts(
        store=late(lambda: _store(settings.batches_table, aws)),
        objects=late(lambda: _objects(bucket, aws)),
        queues=late(lambda: _queues(queues, aws)),
        events=late(lambda: _events(settings.event_bus, bucket, aws)),
        bucket=bucket,
    )


def _queue_urls(settings: Settings) -> tuple[str, str, str]:
    urls = (settings.intake_queue_url, settings.work_queue_url, settings.finish_queue_url)
    match urls:
        case (str(intake), str(work), str(finish)):
            return intake, work, finish
        case _:
            names = ("INTAKE_QUEUE_URL", "WORK_QUEUE_URL", "FINISH_QUEUE_URL")
            missing = [f"{PREFIX}{name}" for name, url in zip(names, urls, strict=True) if url is None]
            raise BrokenSettings(f"{', '.join(missing)}: needed where {PREFIX}BATCHES_BUCKET is set")


def _store(table: str, aws: AwsTarget) -> BatchStore:
    from megallm.stores.batches import DynamoBatches
    from megallm.stores.batches_table import BatchesTable

    return DynamoBatches(BatchesTable(aws.batch_dynamodb, table))


def _objects(bucket: str, aws: AwsTarget) -> ObjectStore:
    from megallm.stores.objects import S3Objects

    return S3Objects(aws.s3, bucket)


def _queues(urls: tuple[str, str, str], aws: AwsTarget) -> BatchQueues:
    from megallm.stores.queues import QueueUrls, SqsQueues

    return SqsQueues(aws.sqs, QueueUrls(*urls))


def _events(bus: str | None, bucket: str, aws: AwsTarget) -> BatchEvents:
    from megallm.stores.events import BusEvents, LoggedEvents

    return LoggedEvents() if bus is None else BusEvents(aws.events, bus=bus, bucket=bucket)
