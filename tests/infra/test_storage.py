"""The stack's tables, bucket and queues: the same as the local ones, and durable."""

import pytest

from megallm.batches.model import Part, lines_key, part_key, result_key, segment_key
from megallm.settings import Settings
from megallm.stores.resources import CHECKPOINTS, INBOX, QUEUES, RESULTS, TABLES, key_schema, name_of
from tests.infra.synthesis import Template, resources, text_of

pytestmark = pytest.mark.slow


def test_the_tables_are_those_of_the_package(template: Template) -> None:
    """Names, keys and the attribute by which items go; on demand, and with a way back."""
    tables = resources(template, "AWS::DynamoDB::Table").values()

    found = {
        table["TableName"]: (
            [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]],
            table.get("TimeToLiveSpecification"),
            table["BillingMode"],
            table["PointInTimeRecoverySpecification"],
            table["DeletionProtectionEnabled"],
        )
        for table in tables
    }

    assert found == {
        name_of(table.role): (
            key_schema(table),
            None if table.ttl is None else {"AttributeName": table.ttl, "Enabled": True},
            "PAY_PER_REQUEST",
            {"PointInTimeRecoveryEnabled": True},
            True,
        )
        for table in TABLES
    }


def test_the_outputs_tell_where_work_is_brought_and_keys_are_kept(template: Template) -> None:
    """The bucket for files, the intake's own queue for job messages, the table for `megallm keys`."""
    queues = {each["QueueName"]: name for name, each in resources(template, "AWS::SQS::Queue").items()}
    tables = {each["TableName"]: name for name, each in resources(template, "AWS::DynamoDB::Table").items()}
    (bucket,) = resources(template, "AWS::S3::Bucket")

    outputs = {name: text_of(output["Value"]) for name, output in template["Outputs"].items()}

    assert {name: value for name, value in outputs.items() if "Endpoint" not in name} == {
        "Bucket": f"<{bucket}>",
        "IntakeQueue": f"<{queues['megallm-intake']}>",  # SQS gives a queue's URL for its name in the template
        "KeysTable": f"<{tables['megallm-keys']}>",
        "Streaming": "runtime",
    }


def test_the_settings_defaults_are_the_default_stacks_names() -> None:
    """So that `megallm keys` finds the deployed tables without being told their names."""
    defaults = Settings()

    assert [getattr(defaults, f"{table.role}_table") for table in TABLES] == [name_of(table.role) for table in TABLES]


def test_tables_and_bucket_outlive_the_stack_unless_chosen_otherwise(template: Template, chosen: Template) -> None:
    """Keys and results are not lost with a stack that is made anew."""
    kinds = ("AWS::DynamoDB::Table", "AWS::S3::Bucket")

    policies = [
        {each["DeletionPolicy"] for each in stack["Resources"].values() if each["Type"] in kinds}
        for stack in (template, chosen)
    ]

    assert policies == [{"Retain"}, {"Delete"}]


def test_another_name_is_that_of_all(chosen: Template) -> None:
    """Two gateways in one account do not meet."""
    tables = {table["TableName"] for table in resources(chosen, "AWS::DynamoDB::Table").values()}
    queues = {queue["QueueName"] for queue in resources(chosen, "AWS::SQS::Queue").values()}

    assert tables == {f"other-{table.role}" for table in TABLES}
    assert queues == {f"other-{role}{end}" for role in QUEUES for end in ("", "-dead")}


def test_the_bucket_is_private_versioned_and_encrypted(template: Template) -> None:
    """And is reached over TLS only."""
    (bucket,) = resources(template, "AWS::S3::Bucket").values()
    (policy,) = resources(template, "AWS::S3::BucketPolicy").values()

    assert text_of(bucket["BucketName"]) == "megallm-<AWS::AccountId>-<AWS::Region>"
    assert bucket["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["BucketEncryption"] == {
        "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    }
    assert [(each["Effect"], each["Action"], each["Condition"]) for each in policy["PolicyDocument"]["Statement"]] == [
        ("Deny", "s3:*", {"Bool": {"aws:SecureTransport": "false"}})
    ]


def test_old_versions_broken_uploads_and_checkpoints_go(template: Template, chosen: Template) -> None:
    """Inputs and results only where that is chosen."""
    (default,) = resources(template, "AWS::S3::Bucket").values()
    (with_days,) = resources(chosen, "AWS::S3::Bucket").values()
    always = [
        {
            "Id": "earlier-versions-and-broken-uploads",
            "Status": "Enabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
        {"Id": "checkpoints", "Status": "Enabled", "Prefix": "work/", "ExpirationInDays": 14},
    ]
    by_choice = [
        {"Id": "inbox", "Status": "Enabled", "Prefix": "inbox/", "ExpirationInDays": 29},
        {"Id": "uploads", "Status": "Enabled", "Prefix": "uploads/", "ExpirationInDays": 29},
        {"Id": "results", "Status": "Enabled", "Prefix": "results/", "ExpirationInDays": 29},
    ]

    assert default["LifecycleConfiguration"]["Rules"] == always
    assert with_days["LifecycleConfiguration"]["Rules"] == always + by_choice


def test_the_prefixes_are_where_the_batches_write() -> None:
    """The stack's rules name them, the package's functions make them."""
    part = Part("msgbatch_1", 1, start=0, end=1, first=1, items=1)

    assert {lines_key("msgbatch_1").split("/")[0], segment_key(part, 1).split("/")[0]} == {CHECKPOINTS.rstrip("/")}
    assert {part_key("msgbatch_1", 1).split("/")[0], result_key("msgbatch_1", "x").split("/")[0]} == {
        RESULTS.rstrip("/")
    }


def test_new_files_of_the_inbox_are_told_to_the_intake_queue(template: Template) -> None:
    """By S3 itself, which alone may write there for this bucket and this account, and only once it may."""
    ((name, bucket),) = resources(template, "AWS::S3::Bucket").items()
    queue_id = _queue_named(template, "megallm-intake")
    ((policy_id, policy),) = [
        (key, each)
        for key, each in resources(template, "AWS::SQS::QueuePolicy").items()
        if [text_of(queue) for queue in each["Queues"]] == [f"<{queue_id}>"]
    ]
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]

    assert bucket["NotificationConfiguration"] == {
        "QueueConfigurations": [
            {
                "Event": "s3:ObjectCreated:*",
                "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": INBOX}]}},
                "Queue": {"Fn::GetAtt": [queue_id, "Arn"]},
            }
        ]
    }
    assert [(each["Action"], each["Principal"]) for each in allowed] == [
        ("sqs:SendMessage", {"Service": "s3.amazonaws.com"})
    ]
    source = text_of(allowed[0]["Condition"]["ArnEquals"]["aws:SourceArn"])
    assert source == f"arn:<AWS::Partition>:s3:::{text_of(bucket['BucketName'])}"
    assert policy_id in template["Resources"][name]["DependsOn"]


def test_each_queue_has_one_for_its_dead_letters(template: Template) -> None:
    """Kept for two weeks, encrypted, over TLS only; a message is hidden six times as long as its function may run."""
    queues = resources(template, "AWS::SQS::Queue")
    by_name = {queue["QueueName"]: queue for queue in queues.values()}
    protected = {
        text_of(queue)
        for policy in resources(template, "AWS::SQS::QueuePolicy").values()
        for queue in policy["Queues"]
        for statement in policy["PolicyDocument"]["Statement"]
        if (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    }

    assert protected == {f"<{name}>" for name in queues}
    for role in QUEUES:
        dead_id = _queue_named(template, f"megallm-{role}-dead")
        assert by_name[f"megallm-{role}"] == {
            "QueueName": f"megallm-{role}",
            "MessageRetentionPeriod": 1209600,
            "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": [dead_id, "Arn"]}, "maxReceiveCount": 5},
            "SqsManagedSseEnabled": True,
            "VisibilityTimeout": 5400,
        }
        assert by_name[f"megallm-{role}-dead"] == {
            "QueueName": f"megallm-{role}-dead",
            "MessageRetentionPeriod": 1209600,
            "SqsManagedSseEnabled": True,
        }


def _queue_named(template: Template, name: str) -> str:
    (found,) = [key for key, queue in resources(template, "AWS::SQS::Queue").items() if queue["QueueName"] == name]
    return found
