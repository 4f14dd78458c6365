"""What a role may do although the tests of the whole stack do not make its function do it, and what for."""

from collections.abc import Mapping

Reasons = Mapping[tuple[str, str], str]  # by what grants.py calls a resource, and the action

_NO_SUCH_UPSTREAM = "the upstream here is neither Bedrock, nor has it a key"
_HALF_WAY = "an upload that fails half way is thrown away"
_NOT_THERE = "whether an object is there at all"
_GOES_ON = "the clock's tick goes on with what a crash has left behind"
_REFUSED = "an input that cannot be read at all ends its batch"

_CALLS: Reasons = {
    ("models", "bedrock:CountTokens"): _NO_SUCH_UPSTREAM,
    ("models", "bedrock:InvokeModel"): _NO_SUCH_UPSTREAM,
    ("models", "bedrock:InvokeModelWithResponseStream"): _NO_SUCH_UPSTREAM,
    ("secrets", "secretsmanager:GetSecretValue"): _NO_SUCH_UPSTREAM,
    ("parameters", "ssm:GetParameter"): _NO_SUCH_UPSTREAM,
}

NOT_CALLED: Mapping[str, Reasons] = {
    "api": {**_CALLS, ("objects", "s3:AbortMultipartUpload"): _HALF_WAY},
    "messages": {**_CALLS, ("bucket", "s3:ListBucket"): _NOT_THERE},
    "batch-intake": {
        ("objects", "s3:AbortMultipartUpload"): _HALF_WAY,
        ("objects", "s3:GetObject"): "an input that came without its version",
        ("bucket", "s3:ListBucket"): _NOT_THERE,
        ("batches", "dynamodb:DeleteItem"): _REFUSED,
        ("bus", "events:PutEvents"): _REFUSED,
        ("intake-queue", "sqs:ChangeMessageVisibility"): "what could not be taken in comes again soon",
    },
    "batch-worker": {
        **_CALLS,
        ("objects", "s3:AbortMultipartUpload"): _HALF_WAY,
        ("work-queue", "sqs:SendMessage"): "a part whose upstream or owner has to wait comes again later",
    },
    "batch-finisher": {
        ("objects", "s3:AbortMultipartUpload"): _HALF_WAY,
        ("objects", "s3:GetObjectVersion"): _GOES_ON,
        ("batches", "dynamodb:BatchGetItem"): _GOES_ON,
        ("batches", "dynamodb:PutItem"): _GOES_ON,
        ("keys", "dynamodb:GetItem"): _GOES_ON,
        ("work-queue", "sqs:SendMessage"): _GOES_ON,
        ("finish-queue", "sqs:SendMessage"): _GOES_ON,
    },
}
