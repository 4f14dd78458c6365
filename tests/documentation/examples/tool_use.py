# As printed, so neither linted nor typed.
# ruff: noqa
# mypy: ignore-errors

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["MEGALLM_BASE_URL"], api_key=os.environ["MEGALLM_API_KEY"])

tools = [
    {
        "name": "get_weather",
        "description": "Get weather for a location",
        "input_schema": {
            "type": "object",
            "properties": {"location": {"type": "string", "description": "City name"}},
            "required": ["location"],
        },
    }
]

response = client.messages.create(
    model="claude-3.5-sonnet",
    max_tokens=100,
    tools=tools,
    messages=[{"role": "user", "content": "What's the weather in Paris?"}],
)

for content_block in response.content:
    if content_block.type == "text":
        print(f"Text: {content_block.text}")
    elif content_block.type == "tool_use":
        print(f"Tool call: {content_block.name}")
        print(f"Arguments: {content_block.input}")

forced = client.messages.create(
    model="claude-3.5-sonnet",
    max_tokens=200,
    tools=tools,
    tool_choice={"type": "tool", "name": "get_weather"},
    messages=[{"role": "user", "content": "What's the weather in Paris?"}],
)

print(f"Tool call: {forced.content[-1].name}")
print(f"Arguments: {forced.content[-1].input}")
