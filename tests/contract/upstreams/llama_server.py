"""A real llama.cpp server over TCP, as an operator runs one: its chat-completions and its Anthropic endpoint."""

from pathlib import Path
from typing import Any

import httpx

from megallm.providers.embedded.library import load_library

# The tiny model's own template knows no tools. This one does, in the form that llama.cpp recognises and enforces.
_TEMPLATE = (
    "{%- if tools -%}{{ '<|im_start|>system\n' }}{%- for tool in tools -%}{{ tool | tojson }}{%- endfor -%}"
    "{{ '<|im_end|>\n' }}{%- endif -%}"
    "{%- for message in messages -%}{{ '<|im_start|>' + message.role + '\n' }}"
    "{%- if message.content -%}{{ message.content }}{%- endif -%}"
    "{%- for call in message.tool_calls or [] -%}"
    '{{ \'<tool_call>\n{"name": "\' + call.function.name + \'", "arguments": \' }}'
    "{{ call.function.arguments | tojson }}{{ '}\n</tool_call>' }}{%- endfor -%}"
    "{{ '<|im_end|>\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)
CONTEXT_TOKENS = 2048
_SLOTS = 2


class LlamaServer:
    """Serves from when it is made until nobody holds it."""

    def __init__(self, model: Path) -> None:
        library = load_library()
        params = library.CommonParams()
        params.model.path = str(model)
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.chat_template = _TEMPLATE
        params.n_parallel = _SLOTS
        params.n_ctx = CONTEXT_TOKENS * _SLOTS
        params.n_batch = 64
        params.cache_ram_mib = 0
        params.endpoint_slots = True
        params.ui = False
        params.verbosity = -1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        server: Any = library.Server(params)  # Any: the binding has no types
        self._server = server  # lives as long as this
        self.url: str = server.listening_address

    def busy_slots(self) -> int:
        """How many replies are being written."""
        return sum(slot["is_processing"] for slot in httpx.get(f"{self.url}/slots", timeout=60).json())

    def tokens(self, messages: list[dict[str, str]]) -> int:
        """The length of the prompt, asked of the server itself."""
        answer = httpx.post(f"{self.url}/v1/chat/completions/input_tokens", json={"messages": messages}, timeout=60)
        tokens: int = answer.json()["input_tokens"]
        return tokens
