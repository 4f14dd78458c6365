"""What a catalogue needs of the local stack, and what it cannot have there."""

from dataclasses import dataclass

from megallm.catalog.upstreams import BedrockUpstream, EmbeddedUpstream
from megallm.composition.catalogue import load_catalog
from megallm.settings import BrokenSettings, Settings


@dataclass(frozen=True, slots=True)
class Needs:
    """Whether a route leads to the embedded model, whose file is large."""

    embedded_model: bool


def needs_of(settings: Settings) -> Needs:
    """Raises BrokenCatalog, and BrokenSettings where a route leads to Bedrock.

    The stack's process drops all AWS credentials, so that no slip reaches a real account: Bedrock could only refuse.
    """
    upstreams = load_catalog(settings.catalog).upstreams
    for name, upstream in upstreams.items():
        if isinstance(upstream, BedrockUpstream):
            raise BrokenSettings(
                f"MEGALLM_CATALOG: {settings.catalog} routes to Bedrock (provider {name!r}), which the local stack "
                "cannot reach: it keeps your AWS credentials out of its process. Deploy, or leave these routes out"
            )
    return Needs(any(isinstance(upstream, EmbeddedUpstream) for upstream in upstreams.values()))
