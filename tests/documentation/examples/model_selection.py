# As printed, so neither linted nor typed.
# ruff: noqa
# mypy: ignore-errors

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["MEGALLM_BASE_URL"], api_key=os.environ["MEGALLM_API_KEY"])

for model in (
    "claude-3-opus",
    "claude-3-sonnet",
    "claude-3-haiku",
    "claude-3.7-sonnet",
    "claude-sonnet-4",
    "claude-opus-4-1-20250805",
):
    message = client.messages.create(
        model=model, max_tokens=10, messages=[{"role": "user", "content": "Hello, Claude!"}]
    )
    print(message.model)
