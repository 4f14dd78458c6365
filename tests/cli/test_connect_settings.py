"""What `megallm connect` prints for each client."""

import pytest

from megallm.cli.connect_settings import Settings, models_for, sections

SLOTS = {
    "fable": "claude-fable-5-2",
    "opus": "claude-opus-5-5",
    "sonnet": "claude-sonnet-5-5",
    "haiku": "claude-haiku-5-5",
}
LISTED = [
    "claude-fable-5-2",
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-sonnet-5",
    "claude-3.5-sonnet",
]


@pytest.mark.parametrize(
    ("listed", "wanted", "model", "slots"),
    [
        (LISTED, None, "claude-haiku-5-5", SLOTS),
        (LISTED, "claude-3.5-sonnet", "claude-3.5-sonnet", SLOTS),
        (["house", "small"], None, "house", dict.fromkeys(SLOTS, "house")),
        (["house", "small"], "small", "small", dict.fromkeys(SLOTS, "small")),
        (["house", "my-haiku-7b"], None, "my-haiku-7b", {**dict.fromkeys(SLOTS, "house"), "haiku": "my-haiku-7b"}),
        ([], None, "claude-haiku-4-5", {}),
        ([], "house", "house", dict.fromkeys(SLOTS, "house")),
    ],
)
def test_each_of_claude_codes_names_is_the_newest_model_of_that_name(
    listed: list[str], wanted: str | None, model: str, slots: dict[str, str]
) -> None:
    """A catalogue of one's own may have none of them; the message goes to the cheapest."""
    assert models_for(listed, wanted) == (model, slots)


SECRET = Settings("https://abc.example/prod", None, "claude-haiku-5-5", SLOTS)


def test_the_lines_can_be_copied_as_they_are() -> None:
    """Without the key in them: they take it from the variable."""
    assert sections(SECRET) == [
        (
            "The SDKs read these",
            'export ANTHROPIC_BASE_URL=https://abc.example/prod\nexport ANTHROPIC_API_KEY="$MEGALLM_API_KEY"',
        ),
        (
            "Python (pip install anthropic)",
            """\
from anthropic import Anthropic
client = Anthropic()
message = client.messages.create(
    model="claude-haiku-5-5", max_tokens=100, messages=[{"role": "user", "content": "Hello!"}]
)
print(message.content[0].text)""",
        ),
        (
            "JavaScript (npm install @anthropic-ai/sdk)",
            """\
import Anthropic from "@anthropic-ai/sdk";
const client = new Anthropic();
const message = await client.messages.create({
  model: "claude-haiku-5-5", max_tokens: 100, messages: [{ role: "user", content: "Hello!" }],
});
console.log(message.content[0].text);""",
        ),
        (
            "Claude Code",
            """\
unset ANTHROPIC_API_KEY
export ANTHROPIC_BASE_URL=https://abc.example/prod
export ANTHROPIC_AUTH_TOKEN="$MEGALLM_API_KEY"
export ANTHROPIC_DEFAULT_FABLE_MODEL=claude-fable-5-2
export ANTHROPIC_DEFAULT_OPUS_MODEL=claude-opus-5-5
export ANTHROPIC_DEFAULT_SONNET_MODEL=claude-sonnet-5-5
export ANTHROPIC_DEFAULT_HAIKU_MODEL=claude-haiku-5-5
claude""",
        ),
        (
            "curl",
            """\
curl -N https://abc.example/prod/v1/messages \\
  -H "x-api-key: $MEGALLM_API_KEY" -H "content-type: application/json" \\
  -d '{"model":"claude-haiku-5-5","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hello!"}]}'""",
        ),
    ]


def test_a_model_of_any_name_stays_one_word() -> None:
    """Catalogues of one's own may call it anything."""
    texts = dict(sections(Settings("http://127.0.0.1:4141", "mega_x", 'it\'s "big"', {"haiku": "it's big"})))

    assert "export ANTHROPIC_DEFAULT_HAIKU_MODEL='it'\"'\"'s big'" in texts["Claude Code"]
    assert 'model="it\'s \\"big\\"",' in texts["Python (pip install anthropic)"]
    assert '-d \'{"model":"it\'"\'"\'s \\"big\\"",' in texts["curl"]
