"""Other gateways, each as its users run it with one worker: how it is started in front of the stub upstream."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.processes import ROOT, free_port, server
from tests.benchmarks.router.install import CLI, node

# LiteLLM wants its keys to begin so; the others take any.
PEER_KEY = "sk-" + "0123456789abcdef" * 4


@dataclass(frozen=True, slots=True)
class Peer:
    """``program`` is there where it is installed; ``start`` runs it in front of an upstream and gives its port.

    ``slower`` is what we mean to be faster than.
    """

    name: str
    language: str
    program: Path
    start: Callable[[str], AbstractContextManager[int]]
    slower: bool = True

    @property
    def missing(self) -> str | None:
        """Why there is no row of figures; None where there can be one."""
        return None if self.program.exists() else "not installed: `make bench` says why"


def _venv(name: str, program: str) -> Path:
    return ROOT / f".venv-{name}" / "bin" / program


LITELLM = _venv("litellm", "litellm")
ANT2OAI = _venv("ant2oai", "a2o")
ROLTER = _venv("rolter", "rolter")


@contextmanager
def _litellm(upstream: str) -> Iterator[int]:
    parameters = {"model": "hosted_vllm/stub", "api_base": f"{upstream}/v1", "api_key": "none"}
    config = {"model_list": [{"model_name": "claude-test", "litellm_params": parameters}]}
    port = free_port()
    environ = {"LITELLM_LOG": "ERROR", "LITELLM_MASTER_KEY": PEER_KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(json.dumps(config))  # JSON is YAML
        command = [str(LITELLM), "--config", str(file), "--host", "127.0.0.1", "--port", str(port)]
        with server(command, port, environ):
            yield port


@contextmanager
def _ant2oai(upstream: str) -> Iterator[int]:
    port = free_port()
    with server([str(ANT2OAI), "--upstream", f"{upstream}/v1/chat/completions", "--port", str(port)], port):
        yield port


@contextmanager
def _claude_code_router(upstream: str) -> Iterator[int]:
    port = free_port()
    url = f"{upstream}/v1/chat/completions"
    config: Mapping[str, object] = {
        "LOG": False,
        "HOST": "127.0.0.1",
        "PORT": port,
        "APIKEY": PEER_KEY,
        "NON_INTERACTIVE_MODE": True,
        "Providers": [{"name": "stub", "api_base_url": url, "api_key": "none", "models": ["stub"]}],
        "Router": {"default": "stub,stub"},
    }
    with tempfile.TemporaryDirectory() as home:
        file = Path(home, ".claude-code-router", "config.json")
        file.parent.mkdir()
        file.write_text(json.dumps(config))
        with server([str(node()), str(CLI), "start"], port, {"HOME": home}):
            yield port


@contextmanager
def _rolter(upstream: str) -> Iterator[int]:
    port = free_port()
    config = f"""
[server]
host = "127.0.0.1"
port = {port}

[[providers]]
name = "stub"
kind = "openai_compatible"
api_base = "{upstream}"

[[routes]]
model = "claude-test"
strategy = "round_robin"
targets = [{{ provider = "stub", model = "stub" }}]
"""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rolter.toml")
        file.write_text(config)
        environ = {"ROLTER_TELEMETRY_ENABLED": "false", "RUST_LOG": "error"}
        with server([str(ROLTER), "gateway", "--config", str(file)], port, environ):
            yield port


PEERS = (
    Peer("LiteLLM", "Python", LITELLM, _litellm),
    Peer("ant2oai", "Python", ANT2OAI, _ant2oai),
    Peer("claude-code-router", "Node", CLI, _claude_code_router),
    Peer("rolter", "Rust", ROLTER, _rolter, slower=False),
)
