"""What each function's role may do with what the stack has: action by action, the reason beside it where it needs one.

No action has a wildcard.
"""

from collections.abc import Mapping

Grants = Mapping[str, tuple[str, ...]]  # actions by the resource that they are done to

_CALLER: Grants = {
    "keys": ("dynamodb:GetItem",),
    "limits": ("dynamodb:GetItem", "dynamodb:UpdateItem"),
}
_CALLS: Grants = {
    "models": ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream", "bedrock:CountTokens"),
    "secrets": ("secretsmanager:GetSecretValue",),
    "parameters": ("ssm:GetParameter",),
    "signing": ("secretsmanager:GetSecretValue",),
}
_RECORDS = "batches"
# A transaction needs the rights of what it is made of; ConditionCheckItem is one of them.
_READ = ("dynamodb:GetItem", "dynamodb:Query")
_BEGIN = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem")
# One that ends is deleted from among the open ones.
_END = ("dynamodb:DeleteItem",)
_LIST = ("dynamodb:BatchGetItem",)
_FORGET = ("dynamodb:BatchWriteItem",)

_OBJECTS = "objects"
_FETCH = ("s3:GetObject", "s3:GetObjectVersion")
# An upload in parts that breaks off is thrown away.
_STORE = ("s3:PutObject", "s3:AbortMultipartUpload")
_REMOVE = ("s3:DeleteObject",)
# Without it S3 says "forbidden" of an object that is not there.
_LISTING: Grants = {"bucket": ("s3:ListBucket",)}

_SEND = ("sqs:SendMessage",)
_TELL: Grants = {"bus": ("events:PutEvents",)}

GRANTS: Mapping[str, Grants] = {
    "api": {
        **_CALLER,
        **_CALLS,
        **_LISTING,
        _RECORDS: (*_READ, *_BEGIN, *_END, *_LIST, *_FORGET),
        _OBJECTS: (*_FETCH, *_STORE, *_REMOVE),
        "work-queue": _SEND,
        # Who cancels a batch calls the finisher.
        "finish-queue": _SEND,
    },
    # Beside messages it streams the results of batches.
    "messages": {
        **_CALLER,
        **_CALLS,
        **_LISTING,
        _RECORDS: ("dynamodb:GetItem",),
        _OBJECTS: _FETCH,
    },
    # It looks at its owner's other batches, to say when the new one will be done; what it could not take in is to come
    # again soon.
    "batch-intake": {
        **_LISTING,
        "intake-queue": ("sqs:ChangeMessageVisibility",),
        **_TELL,
        "keys": ("dynamodb:GetItem",),
        _RECORDS: (*_READ, *_BEGIN, *_END, *_LIST),
        _OBJECTS: (*_FETCH, *_STORE),
        "work-queue": _SEND,
    },
    "batch-worker": {
        **_CALLER,
        **_CALLS,
        **_LISTING,
        _RECORDS: ("dynamodb:GetItem", "dynamodb:UpdateItem"),
        _OBJECTS: (*_FETCH, *_STORE),
        "work-queue": _SEND,
        "finish-queue": _SEND,
    },
    # The clock's tick also goes on with an intake that broke off.
    "batch-finisher": {
        **_LISTING,
        **_TELL,
        "keys": ("dynamodb:GetItem",),
        _RECORDS: (*_READ, *_BEGIN, *_END, *_LIST),
        _OBJECTS: (*_FETCH, *_STORE, *_REMOVE),
        "work-queue": _SEND,
        "finish-queue": _SEND,
    },
}
