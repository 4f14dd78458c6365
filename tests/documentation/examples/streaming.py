# As printed, so neither linted nor typed.
# ruff: noqa
# mypy: ignore-errors

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["MEGALLM_BASE_URL"], api_key=os.environ["MEGALLM_API_KEY"])

with client.messages.stream(
    model="claude-3.5-sonnet",
    max_tokens=100,
    messages=[{"role": "user", "content": "What are the primary colors?"}],
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
print()

for event in client.messages.create(
    model="claude-3.5-sonnet",
    max_tokens=20,
    messages=[{"role": "user", "content": "What are the primary colors?"}],
    stream=True,
):
    print(event.type)
