"""The one stack: what there is, and who may do what with it."""

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, CfnOutput, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import assets
from infra.alarms import Alarms
from infra.bucket import BatchBucket
from infra.bundle.files import Bundle
from infra.custom_domain import custom_domain
from infra.dashboard import Dashboard
from infra.environment import EVENT_BUS, environment
from infra.function import ARCHITECTURES, GatewayFunction
from infra.function_specs import API, FINISHER, INTAKE, LONGEST_SECONDS, MESSAGES, WORKER, FunctionSpec
from infra.grants import GRANTS
from infra.http_api import HttpApi
from infra.options import Options
from infra.queues import Queues
from infra.signing_secret import SigningSecret
from infra.streaming import StreamingEntry, streaming_entry
from infra.tables import Tables
from infra.triggers import Clock, feed
from infra.upstreams import Needs, Place, needs
from megallm.catalog.models import Catalog

_INTAKE_CONCURRENCY = 5


class GatewayStack(Stack):
    """A gateway with its own tables, bucket and queues; several of them, by name, can be in one account and region."""

    def __init__(
        self, scope: Construct, construct_id: str, *, options: Options, catalog: Catalog, bundle: Bundle
    ) -> None:
        """Raises BrokenOptions or UndeployableCatalog."""
        super().__init__(scope, construct_id, description="MegaLLM, an Anthropic-compatible gateway")
        self._options = options
        self._bundle = bundle
        self._tables = Tables(self, "Tables", prefix=options.name, retain=options.retain_data)
        self.storage = BatchBucket(
            self,
            "Batches",
            prefix=options.name,
            retain=options.retain_data,
            result_days=options.result_days,
            noncurrent_days=options.noncurrent_days,
        )
        self._queues = Queues(self, "Queues", prefix=options.name, function_seconds=LONGEST_SECONDS)
        self.secret = SigningSecret(self, "Signing").secret
        self._schemas = lambda_.LayerVersion(
            self,
            "Schemas",
            description="Checks replies against JSON schemas",
            code=assets.layer(bundle),
            compatible_architectures=[ARCHITECTURES[bundle.architecture]],
        )
        streamed = streaming_entry(options)
        self.functions = {
            spec.role: self._function(spec, streamed if spec is MESSAGES else None)
            for spec in (API, MESSAGES, INTAKE, WORKER, FINISHER)
            if spec is not MESSAGES or streamed is not None
        }
        self._connect()
        needed = needs(catalog, Place(Aws.PARTITION, Aws.REGION, Aws.ACCOUNT_ID))
        self.models = needed.models
        self._grant(needed)
        self.http = HttpApi(
            self,
            "Http",
            name=options.name,
            buffered=self.functions[API.role].function,
            streamed=None if streamed is None else self.functions[MESSAGES.role].function,
            requests_per_second=options.requests_per_second,
            burst_requests=options.burst_requests,
            log_days=options.log_days,
            domain=custom_domain(self, options),
        )
        functions = {role: function.function for role, function in self.functions.items()}
        Alarms(
            self,
            "Alarms",
            prefix=options.name,
            functions=functions,
            queues=self._queues,
            api=self.http.api,
            email=options.alarm_email,
        )
        Dashboard(self, "Dashboard", prefix=options.name, functions=functions, queues=self._queues, api=self.http.api)
        self._tell()

    def _function(self, spec: FunctionSpec, streamed: StreamingEntry | None) -> GatewayFunction:
        options = self._options
        variables = environment(
            spec,
            options,
            bucket=self.storage.bucket.bucket_name,
            queue_urls={role: queue.queue_url for role, queue in self._queues.by_role.items()},
            signing_secret=self.secret.secret_arn,
        )
        layers: list[lambda_.ILayerVersion] = [self._schemas]
        if streamed is not None:
            variables |= streamed.environment
            layers += [
                lambda_.LayerVersion.from_layer_version_arn(self, f"Layer{number}", arn)
                for number, arn in enumerate(streamed.layer_arns)
            ]
        return GatewayFunction(
            self,
            spec,
            prefix=options.name,
            bundle=self._bundle,
            handler=spec.handler if streamed is None else streamed.handler,
            layers=layers,
            environment=variables,
            memory_mb=options.api_memory_mb if spec.serves_http else options.worker_memory_mb,
            log_days=options.log_days,
        )

    def _connect(self) -> None:
        self.storage.notify(self._queues.by_role["intake"])
        for spec, queue, concurrency in (
            (INTAKE, "intake", _INTAKE_CONCURRENCY),
            (WORKER, "work", self._options.worker_concurrency),
            (FINISHER, "finish", _INTAKE_CONCURRENCY),
        ):
            feed(self.functions[spec.role].function, self._queues.by_role[queue], concurrency)
        Clock(self, "Clock", function=self.functions[FINISHER.role].function)

    def _grant(self, needed: Needs) -> None:
        arns = self._arns(needed)
        for role, function in self.functions.items():
            for resource, actions in GRANTS[role].items():
                if arns[resource]:
                    function.allow(actions, arns[resource])
        if self._options.secrets_key_arn:
            for role, function in self.functions.items():
                if "secrets" in GRANTS[role]:
                    function.allow(["kms:Decrypt"], [self._options.secrets_key_arn])

    def _arns(self, needed: Needs) -> Mapping[str, Sequence[str]]:
        """Of what grants.py names."""
        bus = events.EventBus.from_event_bus_name(self, "Bus", EVENT_BUS)
        return {
            **{role: [table.table_arn] for role, table in self._tables.by_role.items()},
            **{f"{role}-queue": [queue.queue_arn] for role, queue in self._queues.by_role.items()},
            "bucket": [self.storage.bucket.bucket_arn],
            "objects": [self.storage.bucket.arn_for_objects("*")],
            "bus": [bus.event_bus_arn],
            "signing": [self.secret.secret_arn],
            "models": needed.models,
            "secrets": needed.secrets,
            "parameters": needed.parameters,
        }

    def _tell(self) -> None:
        outputs = {
            "Endpoint": (self.http.url, "The base URL for the SDKs"),
            "Bucket": (self.storage.bucket.bucket_name, "Where batches are dropped, and their results found"),
            "IntakeQueue": (self._queues.by_role["intake"].queue_url, "Where job messages are sent"),
            "KeysTable": (self._tables.by_role["keys"].table_name, "The API keys, for `megallm keys`"),
            "Streaming": (self._options.streaming, "How streams are served"),
        }
        domain = self.http.api.domain_name
        if domain is not None:
            target = domain.domain_name_alias_domain_name
            outputs["DomainTarget"] = (target, "What the domain's CNAME or alias record points to")
        for name, (value, description) in outputs.items():
            CfnOutput(self, name, value=value, description=description)
