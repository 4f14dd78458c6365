"""The REST API: which path goes to which function, and the limits before all of them."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import access_log
from infra.function import RETENTION
from infra.function_specs import LONGEST_SECONDS
from infra.gateway_responses import GatewayResponses

STAGE = "prod"


class HttpApi(Construct):
    """*streamed* answers what streams; without one, *buffered* answers everything."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        buffered: lambda_.Function,
        streamed: lambda_.Function | None,
        requests_per_second: int,
        burst_requests: int,
        log_days: int,
        domain: apigateway.DomainNameOptions | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        log_group = logs.LogGroup(
            self, "AccessLog", retention=RETENTION[log_days], removal_policy=RemovalPolicy.DESTROY
        )
        self.api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=name,
            description="An Anthropic-compatible gateway: the Messages API over the models of one's own choice.",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            domain_name=domain,
            # Without this role API Gateway writes no logs. It is one for all APIs of the account and region.
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN,
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=requests_per_second,
                throttling_burst_limit=burst_requests,
                access_log_destination=apigateway.LogGroupLogDestination(log_group),
                access_log_format=apigateway.AccessLogFormat.custom(access_log.FORMAT),
                # They could hold what callers wrote.
                logging_level=apigateway.MethodLoggingLevel.OFF,
                data_trace_enabled=False,
            ),
        )
        GatewayResponses(self, "Responses", api=self.api)
        anything = _buffered(buffered)
        self.api.root.add_method("ANY", anything)
        self.api.root.add_proxy(any_method=True, default_integration=anything)
        if streamed is not None:
            self._stream(anything, _streamed(streamed))

    @property
    def url(self) -> str:
        """The base URL for clients."""
        domain = self.api.domain_name
        return self.api.url if domain is None else f"https://{domain.domain_name}/"

    def _stream(self, anything: apigateway.Integration, streamed: apigateway.Integration) -> None:
        """A path that is spelled out is no longer the catch-all's, nor what stands between: each gets both again."""
        messages = self.api.root.add_resource("v1").add_resource("messages")
        batches = messages.add_resource("batches")
        batch = batches.add_resource("{batch_id}")
        results = batch.add_resource("results")
        messages.add_method("POST", streamed)
        results.add_method("GET", streamed)
        for resource in (messages, batches, batch, results):
            resource.add_method("ANY", anything)


def _buffered(function: lambda_.Function) -> apigateway.Integration:
    return apigateway.LambdaIntegration(function, scope_permission_to_method=False)


def _streamed(function: lambda_.Function) -> apigateway.Integration:
    """API Gateway waits as long as the function may run; it gives up a stream that is silent for five minutes.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html
    """
    return apigateway.LambdaIntegration(
        function,
        response_transfer_mode=apigateway.ResponseTransferMode.STREAM,
        timeout=Duration.seconds(LONGEST_SECONDS),
        scope_permission_to_method=False,
    )
