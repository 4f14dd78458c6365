"""What a local stack says when it is ready: enough to send the first request by copying."""

from rich.console import Console

from megallm.local.model_choice import ChosenModel
from megallm.local.state import LocalState

_CURL = """\
curl {base_url}/v1/messages -H "x-api-key: {api_key}" -H "content-type: application/json" \\
  -d '{{"model": "claude-sonnet-4", "max_tokens": 100, "messages": [{{"role": "user", "content": "Hello!"}}]}}'"""

_PYTHON = """\
from anthropic import Anthropic
client = Anthropic(base_url="{base_url}", api_key="{api_key}")
message = client.messages.create(
    model="claude-sonnet-4", max_tokens=100, messages=[{{"role": "user", "content": "Hello!"}}]
)
print(message.content[0].text)"""


_NO_MODEL = "none on this machine: your catalogue routes elsewhere; `megallm models` lists what it has."


def show(state: LocalState, model: ChosenModel | None, console: Console) -> None:
    """Prints address, key, snippets and the model; lines that are to be copied are never wrapped."""
    values = {"base_url": state.base_url, "api_key": state.api_key}
    console.print()
    _line(console, "MegaLLM", state.base_url)
    _line(console, "API key", state.api_key)
    _line(console, "Model", _NO_MODEL if model is None else f"{model.name}. {model.expectation}")
    _line(console, "Inbox", f"s3://{state.bucket}/inbox/ at {state.aws_endpoint_url}; results in .megallm/results/")
    _line(console, "Queue", state.queues["intake"])
    for title, snippet in (("curl", _CURL), ("Python", _PYTHON)):
        console.print(f"\n{title}", style="bold")
        console.print(snippet.format(**values), markup=False, highlight=False, soft_wrap=True)
    console.print("\nCtrl-C stops it. Log: .megallm/megallm.log", style="dim", highlight=False, soft_wrap=True)


def _line(console: Console, label: str, value: str) -> None:
    console.print(f"[bold]{label:8}[/bold]", end="")
    console.print(value, markup=False, highlight=False, soft_wrap=True)
