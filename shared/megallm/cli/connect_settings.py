"""The settings that `megallm connect` prints: for the SDKs, Claude Code and curl, ready to be copied into a shell."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic_core import to_json

from megallm.cli.connect_target import KEY_VARIABLE

# Claude Code asks for models by these four names, and takes from the environment which model each of them is.
# https://code.claude.com/docs/en/env-vars and https://code.claude.com/docs/en/model-config
SLOTS = ("fable", "opus", "sonnet", "haiku")
_CHEAPEST = "haiku"
# What answers where nobody could be asked: an id that both catalogues that ship have.
DEFAULT_MODEL = "claude-haiku-4-5"
_FROM_VARIABLE = f'"${KEY_VARIABLE}"'


@dataclass(frozen=True, slots=True)
class Settings:
    """What every client needs: the address, the key, and the models.

    ``key`` is None where it is not to be shown: the lines then take it from the variable. ``slots`` is empty where the
    gateway's models are not known.
    """

    base_url: str
    key: str | None
    model: str
    slots: Mapping[str, str]

    @property
    def sdk_environment(self) -> dict[str, str | None]:
        """What the Python and the JavaScript SDK read."""
        return {"ANTHROPIC_BASE_URL": self.base_url, "ANTHROPIC_API_KEY": self.key}

    @property
    def claude_code_environment(self) -> dict[str, str | None]:
        """What Claude Code reads. It asks before it uses a key; a token it just uses, where no key is set."""
        models = {f"ANTHROPIC_DEFAULT_{slot.upper()}_MODEL": model for slot, model in self.slots.items()}
        return {"ANTHROPIC_BASE_URL": self.base_url, "ANTHROPIC_AUTH_TOKEN": self.key, **models}


def models_for(listed: Sequence[str], wanted: str | None) -> tuple[str, dict[str, str]]:
    """The model to send a message to, and the one for each of Claude Code's names, of those that a gateway lists.

    Newest first, as gateways list them. A name that none of them has gets *wanted*, or the first of all.
    """
    if not listed:
        return wanted or DEFAULT_MODEL, dict.fromkeys(SLOTS, wanted) if wanted else {}
    other = wanted or listed[0]
    slots = {slot: next((model for model in listed if slot in model.split("-")), other) for slot in SLOTS}
    return wanted or slots[_CHEAPEST], slots


def sections(settings: Settings) -> list[tuple[str, str]]:
    """Each client's title and lines."""
    model = to_json(settings.model).decode()
    claude_code = f"unset ANTHROPIC_API_KEY\n{_exports(settings.claude_code_environment)}\nclaude"
    return [
        ("The SDKs read these", _exports(settings.sdk_environment)),
        ("Python (pip install anthropic)", _PYTHON.format(model=model)),
        ("JavaScript (npm install @anthropic-ai/sdk)", _JAVASCRIPT.format(model=model)),
        ("Claude Code", claude_code),
        ("curl", _curl(settings)),
    ]


def _exports(environment: Mapping[str, str | None]) -> str:
    return "\n".join(
        f"export {name}={_FROM_VARIABLE if value is None else shlex.quote(value)}"
        for name, value in environment.items()
    )


def _curl(settings: Settings) -> str:
    body = {
        "model": settings.model,
        "max_tokens": 100,
        "stream": True,
        "messages": [{"role": "user", "content": "Hello!"}],
    }
    key = f"${KEY_VARIABLE}" if settings.key is None else settings.key
    return (
        f"curl -N {shlex.quote(f'{settings.base_url}/v1/messages')} \\\n"
        f'  -H "x-api-key: {key}" -H "content-type: application/json" \\\n'
        f"  -d {shlex.quote(to_json(body).decode())}"
    )


_PYTHON = """\
from anthropic import Anthropic
client = Anthropic()
message = client.messages.create(
    model={model}, max_tokens=100, messages=[{{"role": "user", "content": "Hello!"}}]
)
print(message.content[0].text)"""

_JAVASCRIPT = """\
import Anthropic from "@anthropic-ai/sdk";
const client = new Anthropic();
const message = await client.messages.create({{
  model: {model}, max_tokens: 100, messages: [{{ role: "user", content: "Hello!" }}],
}});
console.log(message.content[0].text);"""
