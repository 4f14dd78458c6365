# As printed, so neither linted nor typed.
# ruff: noqa
# mypy: ignore-errors

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["MEGALLM_BASE_URL"], api_key=os.environ["MEGALLM_API_KEY"])


def translate(text, target_language="Spanish"):
    response = client.messages.create(
        model="claude-3.5-sonnet",  # Fast model for translation
        max_tokens=500,
        messages=[{"role": "user", "content": f"Translate to {target_language}:\n\n{text}"}],
        temperature=0.3,
    )
    return response.content[0].text


print(translate("Good morning, my friends."))
print(translate("Good morning, my friends.", target_language="German"))
