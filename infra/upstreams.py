"""What the catalogue's upstreams need of AWS: the models that may be invoked, and the secrets that may be read.

Pure: a catalogue in, ARNs out.
"""

import re
from dataclasses import dataclass

from megallm.catalog.models import Catalog
from megallm.catalog.upstreams import AnthropicUpstream, BedrockUpstream, EmbeddedUpstream, OpenAIUpstream

# An inference profile's id begins with a geography, a model's with its maker, whose name is longer.
_PROFILE = re.compile(r"(?P<geography>global|apac|us-gov|[a-z]{2})\.(?P<model>.+)")


class UndeployableCatalog(Exception):
    """A route of the catalogue cannot work in Lambda; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stack will be; CDK's tokens, until that is known."""

    partition: str
    region: str
    account: str


@dataclass(frozen=True, slots=True)
class Needs:
    """ARNs by what is done with them, sorted."""

    models: tuple[str, ...]
    secrets: tuple[str, ...]
    parameters: tuple[str, ...]


def needs(catalog: Catalog, place: Place) -> Needs:
    """Raises UndeployableCatalog."""
    models: set[str] = set()
    secrets: set[str] = set()
    parameters: set[str] = set()
    for name, upstream in catalog.upstreams.items():
        match upstream:
            case EmbeddedUpstream():
                raise UndeployableCatalog(f"{name} is the model on one's own machine: it does not fit into Lambda")
            case BedrockUpstream():
                where = place if upstream.region is None else Place(place.partition, upstream.region, place.account)
                for model in _models_of(catalog, name):
                    models.update(model_arns(model, where))
            case OpenAIUpstream() | AnthropicUpstream():
                if upstream.api_key is not None:
                    scheme, _, secret = upstream.api_key.partition(":")
                    if scheme == "env":
                        raise UndeployableCatalog(
                            f"{name} has its key in the environment ({upstream.api_key}), where everyone who may see "
                            "the function's settings could read it: put it into Secrets Manager, and name it as "
                            "secretsmanager:NAME"
                        )
                    if scheme == "ssm":
                        parameters.add(parameter_arn(secret, place))
                    else:
                        secrets.add(secret_arn(secret, place))
    return Needs(tuple(sorted(models)), tuple(sorted(secrets)), tuple(sorted(parameters)))


def _models_of(catalog: Catalog, provider: str) -> set[str]:
    return {route.model for model in catalog.models for route in model.routes if route.provider == provider}


def model_arns(model: str, place: Place) -> list[str]:
    """What has to be allowed for calls to a model's or a profile's id.

    A call through a profile is checked against the profile and against the model in each region where it may end
    up: for the global ones that is an ARN without a region.
    https://docs.aws.amazon.com/bedrock/latest/userguide/global-cross-region-inference.html
    https://docs.aws.amazon.com/bedrock/latest/userguide/geographic-cross-region-inference.html
    """
    if model.startswith("arn:"):
        return [model]
    root = f"arn:{place.partition}:bedrock"
    profile = _PROFILE.fullmatch(model)
    if profile is None:
        return [f"{root}:{place.region}::foundation-model/{model}"]
    regions = [place.region, ""] if profile["geography"] == "global" else ["*"]
    return [
        f"{root}:{place.region}:{place.account}:inference-profile/{model}",
        *(f"{root}:{region}::foundation-model/{profile['model']}" for region in regions),
    ]


def model_of(model: str) -> str:
    """The model to which an inference profile leads, or the model itself."""
    profile = _PROFILE.fullmatch(model)
    return model if profile is None else profile["model"]


def secret_arn(name: str, place: Place) -> str:
    """Of ``NAME`` or an ARN, with or without ``#member``. Secrets Manager adds six characters of its own to a name."""
    secret = name.partition("#")[0]
    if secret.startswith("arn:"):
        return secret
    return f"arn:{place.partition}:secretsmanager:{place.region}:{place.account}:secret:{secret}-??????"


def parameter_arn(name: str, place: Place) -> str:
    """Of ``/NAME``, ``NAME`` or an ARN."""
    if name.startswith("arn:"):
        return name
    return f"arn:{place.partition}:ssm:{place.region}:{place.account}:parameter/{name.removeprefix('/')}"
