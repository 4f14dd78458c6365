"""One Lambda function with what belongs to it alone: its role, its log, its part of the bundle."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import assets
from infra.bundle.files import Bundle
from infra.function_specs import FunctionSpec


class GatewayFunction(Construct):
    """The role may write this function's log; everything else is granted in the stack."""

    def __init__(
        self,
        scope: Construct,
        spec: FunctionSpec,
        *,
        prefix: str,
        bundle: Bundle,
        handler: str,
        layers: Sequence[lambda_.ILayerVersion],
        environment: Mapping[str, str],
        memory_mb: int,
        log_days: int,
    ) -> None:
        super().__init__(scope, spec.construct_id)
        self.spec = spec
        self.log_group = logs.LogGroup(self, "Log", retention=RETENTION[log_days], removal_policy=RemovalPolicy.DESTROY)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=f"{prefix}-{spec.role}",
            description=spec.description,
            runtime=lambda_.Runtime(bundle.runtime, lambda_.RuntimeFamily.PYTHON),
            architecture=ARCHITECTURES[bundle.architecture],
            code=assets.code(bundle),
            handler=handler,
            layers=list(layers),
            environment=dict(environment),
            memory_size=memory_mb,
            timeout=Duration.seconds(spec.timeout_seconds),
            role=self.role,
            log_group=self.log_group,
            # Our lines are JSON already, and CloudWatch reads metrics only from those that nothing was added to.
            logging_format=lambda_.LoggingFormat.TEXT,
        )

    def allow(self, actions: Sequence[str], resources: Sequence[str]) -> None:
        """One statement of the role's policy."""
        self.role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))


ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}
_DAYS = logs.RetentionDays
# CloudWatch takes these numbers of days, and CDK has names for them.
RETENTION = {
    1: _DAYS.ONE_DAY,
    3: _DAYS.THREE_DAYS,
    5: _DAYS.FIVE_DAYS,
    7: _DAYS.ONE_WEEK,
    14: _DAYS.TWO_WEEKS,
    30: _DAYS.ONE_MONTH,
    60: _DAYS.TWO_MONTHS,
    90: _DAYS.THREE_MONTHS,
    180: _DAYS.SIX_MONTHS,
    365: _DAYS.ONE_YEAR,
    731: _DAYS.TWO_YEARS,
    1827: _DAYS.FIVE_YEARS,
    3653: _DAYS.TEN_YEARS,
}
