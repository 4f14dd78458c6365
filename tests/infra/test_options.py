"""What can be chosen at a deployment, and what the documentation says of it."""

import pytest

from infra.options import BrokenOptions, Options, table
from infra.streaming import streaming_entry
from tests.infra.conftest import CERTIFICATE
from tests.infra.synthesis import ROOT


def test_no_context_is_the_defaults() -> None:
    """CDK's own keys are not ours."""
    options = Options.from_context({"@aws-cdk/core:newStyleStackSynthesis": True, "aws:cdk:bundling-stacks": ["**"]})

    assert options == Options()


def test_the_clis_text_becomes_numbers_and_truths() -> None:
    """`-c` gives everything as text, a file its own types."""
    given = {"log_days": "7", "strict": "true", "retain_data": "false", "api_memory_mb": "2048", "streaming": "off"}

    options = Options.from_context(given)

    assert options == Options(log_days=7, strict=True, retain_data=False, api_memory_mb=2048, streaming="off")


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"steaming": "off"}, "steaming is an unknown context key; did you mean streaming?"),
        ({"streaming": "yes"}, "streaming: Input should be 'runtime', 'adapter' or 'off'"),
        ({"log_days": "8"}, "log_days: Input should be 1, 3, 5, 7, 14, 30, 60, 90, 180, 365, 731, 1827 or 3653"),
        ({"log_days": "soon"}, "log_days: Input should be 1, 3, 5, 7, 14, 30, 60, 90, 180, 365, 731, 1827 or 3653"),
        ({"name": "Mega LLM"}, "name: String should match pattern '^[a-z][a-z0-9-]{0,23}$'"),
        (
            {"domain_name": "https://llm.example.com"},
            "domain_name: String should match pattern "
            r"'^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+)?$'",
        ),
        ({"worker_concurrency": 1}, "worker_concurrency: Input should be greater than or equal to 2"),
    ],
)
def test_a_typo_is_told_and_not_ignored(context: dict[str, object], message: str) -> None:
    """A key that nobody reads would leave its user without what they chose."""
    with pytest.raises(BrokenOptions) as caught:
        Options.from_context(context)

    assert str(caught.value) == message


def test_a_key_far_from_all_is_answered_with_the_list() -> None:
    """Nothing comes near, so everything is told."""
    with pytest.raises(BrokenOptions, match="zzz is an unknown context key; there are name, streaming, "):
        Options.from_context({"zzz": 1})


def test_the_adapter_needs_its_layer() -> None:
    """Its versions are AWS's, so no default would stay right."""
    with pytest.raises(BrokenOptions, match=r"^adapter_layer_arn: streaming=adapter needs the ARN"):
        streaming_entry(Options(streaming="adapter"))


@pytest.mark.parametrize("given", [{"domain_name": "llm.example.com"}, {"certificate_arn": CERTIFICATE}])
def test_a_domain_needs_its_certificate(given: dict[str, str]) -> None:
    """Before anything is built."""
    with pytest.raises(BrokenOptions, match=r"^domain_name and certificate_arn: a domain of your own needs both"):
        Options.from_context(given)


def test_the_documentation_has_every_key_with_its_default() -> None:
    """The table of docs/deploy.md is the code's: `python -m infra.options` prints it."""
    page = (ROOT / "docs" / "deploy.md").read_text()

    assert table() in page
