"""Bedrock's names of models: in a URL, and without the geography that a cross-region profile puts in front."""

from urllib.parse import quote

# What system-defined inference profiles begin with.
# Source: https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
_GEOGRAPHIES = frozenset({"apac", "au", "ca", "eu", "global", "in", "jp", "us", "us-gov"})


def path_of(model: str, operation: str) -> str:
    """The path of a call. An ARN's slashes are encoded, its colons are not.

    So does Anthropic's own SDK, and so it survives an HTTP client that brings URLs into its normal form: what is
    signed has to be what is sent.
    """
    return f"/model/{quote(model, safe=':')}/{operation}"


def base_model(model: str) -> str | None:
    """The foundation model behind an id or ARN; None behind the ARN of something that the account made itself.

    CountTokens knows foundation models alone: it refuses the very profiles that newer models must be called by.
    Source: https://docs.aws.amazon.com/bedrock/latest/userguide/count-tokens.html
    """
    if model.startswith("arn:"):
        kind, _, model = model.split(":", 5)[-1].partition("/")
        if kind not in ("foundation-model", "inference-profile"):
            return None
    geography, _, rest = model.partition(".")
    return rest if geography in _GEOGRAPHIES else model
