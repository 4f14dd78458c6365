"""The queues, by moto's SQS and by clients that refuse some messages."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws

from megallm.batches.pointers import PartPointer, UnreadablePointer, finish_from_wire, part_from_wire
from megallm.errors import InternalError
from megallm.stores.queues import QueueUrls, SqsQueues
from tests.stores.batch_tables import AWS, BATCH

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef


@pytest.fixture
def client() -> Iterator["SQSClient"]:
    with mock_aws():
        yield AWS.sqs()


@pytest.fixture
def urls(client: "SQSClient") -> QueueUrls:
    return QueueUrls(*(client.create_queue(QueueName=name)["QueueUrl"] for name in ("intake", "work", "finish")))


def received(client: "SQSClient", url: str) -> "list[MessageTypeDef]":
    messages = []
    while page := client.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["MessageGroupId"]
    ).get("Messages"):
        messages += page
    return messages


def test_each_part_is_a_message_in_its_owners_group(client: "SQSClient", urls: QueueUrls) -> None:
    """More than the ten that one request carries."""
    SqsQueues(lambda: client, urls).send_parts(BATCH, range(1, 24))

    messages = received(client, urls.work)

    assert sorted(part_from_wire(message["Body"]).part for message in messages) == list(range(1, 24))
    assert {part_from_wire(message["Body"]).batch_id for message in messages} == {BATCH.id}
    assert {message["Attributes"]["MessageGroupId"] for message in messages} == {"operator"}


def test_a_delay_holds_messages_back(client: "SQSClient", urls: QueueUrls) -> None:
    """SQS takes 900 s at most: who wants more gets that."""
    SqsQueues(lambda: client, urls).send_parts(BATCH, [1], delay_seconds=5000)

    attributes = client.get_queue_attributes(QueueUrl=urls.work, AttributeNames=["ApproximateNumberOfMessagesDelayed"])

    assert attributes["Attributes"] == {"ApproximateNumberOfMessagesDelayed": "1"}


def test_the_end_of_a_batch_and_a_job_have_queues_of_their_own(client: "SQSClient", urls: QueueUrls) -> None:
    """A job goes as its sender wrote it."""
    queues = SqsQueues(lambda: client, urls)

    queues.send_finish(BATCH.id)
    queues.send_job('{"version": 1}')

    assert [finish_from_wire(message["Body"]) for message in received(client, urls.finish)] == [BATCH.id]
    assert [message["Body"] for message in received(client, urls.intake)] == ['{"version": 1}']


def test_an_intakes_message_can_be_had_again_at_once(client: "SQSClient", urls: QueueUrls) -> None:
    """It is hidden for as long as the queue says, unless it is said of this one."""
    queues = SqsQueues(lambda: client, urls)
    queues.send_job("{}")
    (first,) = received(client, urls.intake)
    hidden = received(client, urls.intake)

    queues.intake_again(first["ReceiptHandle"], 0)

    assert (hidden, [message["Body"] for message in received(client, urls.intake)]) == ([], ["{}"])


class Refusing:
    """A client that refuses the second message of each of its first requests."""

    def __init__(self, times: int, *, sender_fault: bool = False) -> None:
        self.left = times
        self.sent: list[list[str]] = []
        self._sender_fault = sender_fault

    def send_message_batch(self, **request: Any) -> Any:
        ids = [entry["Id"] for entry in request["Entries"]]
        self.sent.append(ids)
        if not self.left:
            return {"Successful": []}
        self.left -= 1
        return {"Failed": [{"Id": ids[-1], "SenderFault": self._sender_fault, "Code": "InternalError"}]}


def sending(client: Refusing, waits: list[float] | None = None) -> SqsQueues:
    waited = waits if waits is not None else []
    urls = QueueUrls("intake", "work", "finish")
    return SqsQueues(lambda: client, urls, sleep=waited.append)  # type: ignore[arg-type, return-value]  # what it uses


def test_messages_that_were_not_taken_are_sent_again() -> None:
    """Those alone: SQS tells of them in an answer with status 200."""
    client = Refusing(2)
    waits: list[float] = []

    sending(client, waits).send_parts(BATCH, [1, 2])

    assert (client.sent, waits) == ([["1", "2"], ["2"], ["2"]], [0.1, 0.2])


def test_messages_that_are_never_taken_are_an_error() -> None:
    """The intake's own message stays in its queue then."""
    with pytest.raises(InternalError, match="could not queue 1 parts"):
        sending(Refusing(99)).send_parts(BATCH, [1, 2])


def test_a_message_that_is_our_own_fault_is_not_sent_again() -> None:
    """It would be refused as often as it comes."""
    client = Refusing(99, sender_fault=True)

    with pytest.raises(InternalError):
        sending(client).send_parts(BATCH, [1, 2])

    assert client.sent == [["1", "2"]]


def test_a_missing_queue_is_our_fault(client: "SQSClient") -> None:
    """Whichever it is."""
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/none"
    queues = SqsQueues(lambda: client, QueueUrls(url, url, url))

    with pytest.raises(InternalError):
        queues.send_parts(BATCH, [1])
    with pytest.raises(InternalError):
        queues.send_finish(BATCH.id)
    with pytest.raises(InternalError):
        queues.send_job("{}")
    with pytest.raises(InternalError):
        queues.intake_again("receipt", 60)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{",
        "{}",
        json.dumps({"version": 2, "batch_id": "b", "part": 1}),
        json.dumps({"version": 1, "batch_id": "b", "part": "1"}),
        json.dumps({"version": 1, "part": 1}),
    ],
)
def test_a_message_of_somebody_else_is_no_pointer(body: str) -> None:
    """It goes to the dead letters, where a person looks at it."""
    with pytest.raises(UnreadablePointer):
        part_from_wire(body)


def test_a_pointer_comes_back_as_it_was() -> None:
    """And a batch's is none to a part."""
    assert part_from_wire('{"version":1,"batch_id":"b","part":7}') == PartPointer("b", 7)
    with pytest.raises(UnreadablePointer):
        finish_from_wire("[1]")
