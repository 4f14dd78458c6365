# As printed, so neither linted nor typed.
# ruff: noqa
# mypy: ignore-errors

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["MEGALLM_BASE_URL"], api_key=os.environ["MEGALLM_API_KEY"])

conversation = []


def chat(user_input):
    conversation.append({"role": "user", "content": user_input})

    response = client.messages.create(model="claude-3.5-sonnet", max_tokens=150, messages=conversation)

    assistant_message = response.content[0].text
    conversation.append({"role": "assistant", "content": assistant_message})

    return assistant_message


print(chat("What's the capital of France?"))
print(chat("What's its population?"))
