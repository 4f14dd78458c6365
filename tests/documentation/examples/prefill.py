# As printed, so neither linted nor typed.
# ruff: noqa
# mypy: ignore-errors

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["MEGALLM_BASE_URL"], api_key=os.environ["MEGALLM_API_KEY"])

messages = [
    {"role": "user", "content": "Write a haiku about programming"},
    {"role": "assistant", "content": "Here's a haiku about programming:\n\n"},
]

response = client.messages.create(model="claude-3.5-sonnet", max_tokens=50, messages=messages)

print(response.content[0].text)
