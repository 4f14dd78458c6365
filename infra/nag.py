"""What cdk-nag finds and we mean: each finding at its one resource, with the reason."""

from aws_cdk import Acknowledgment, Aws, CfnElement, Stack, Validations
from constructs import IConstruct

from infra.stack import GatewayStack

NEWEST_RUNTIME = "python3.14"

_OWN_KEYS = "The gateway checks its own API keys, as the SDKs send them; API Gateway's authorizers know no such keys."


def acknowledge(stack: GatewayStack) -> None:
    """Everything else that cdk-nag finds stops the synthesis."""
    _api(stack)
    _functions(stack)
    _reason(
        stack.storage.bucket,
        "S1",
        "Only the stack's roles reach the bucket, and each object's versions are kept; access logs would cost more "
        "than the requests that they tell of. CloudTrail's data events can be switched on where they are wanted.",
    )
    _reason(
        stack.secret,
        "SMG4",
        "It signs what clients keep, so a new one is to be accepted beside the old: docs/operations.md says how.",
    )


def _api(stack: GatewayStack) -> None:
    api = stack.http.api
    _reason(api, "APIG2", "The function checks every request, and says what is wrong in the SDKs' own error shape.")
    _reason(
        api,
        "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]",
        "AWS's own policy for the one role by which API Gateway writes its logs; it is the account's own.",
    )
    _reason(api, "APIG3", "A firewall costs by the month, and this stack nothing while idle. One can be added.")
    _reason(
        api, "APIG6", "They could hold what callers wrote. The access log and the functions' own have each request."
    )
    for method in api.methods:
        _reason(method, "APIG4", _OWN_KEYS)
        _reason(method, "COG4", _OWN_KEYS)


def _functions(stack: GatewayStack) -> None:
    logical_id = Stack.of(stack.storage.bucket).get_logical_id(_resource(stack.storage.bucket))
    for function in stack.functions.values():
        if function.function.runtime.name != NEWEST_RUNTIME:
            _reason(function.function, "L1", "The runtime follows the Python that compiled the bundle.")
        _reason(function.role, f"IAM5[Resource::<{logical_id}.Arn>/*]", "The objects of the stack's own bucket.")
        for arn in stack.models:
            if ":bedrock:*:" in arn:
                told = arn.replace(Aws.PARTITION, "<AWS::Partition>")
                _reason(
                    function.role,
                    f"IAM5[Resource::{told}]",
                    "One model; Bedrock chooses the region, within the geography of its inference profile.",
                )


def _resource(construct: IConstruct) -> CfnElement:
    child = construct.node.default_child
    assert isinstance(child, CfnElement)
    return child


def _reason(construct: IConstruct, rule: str, reason: str) -> None:
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason))
