# As printed, so neither linted nor typed.
# ruff: noqa
# mypy: ignore-errors

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["MEGALLM_BASE_URL"], api_key=os.environ["MEGALLM_API_KEY"])


def extract_information(text):
    response = client.messages.create(
        model="claude-3.5-sonnet",
        max_tokens=300,
        system="Extract information and return as JSON.",
        messages=[
            {
                "role": "user",
                "content": f"""Extract the following from this text:
                - Names (list)
                - Dates (list)
                - Locations (list)
                - Key facts (list)

                Return as JSON.

                Text: {text}""",
            }
        ],
        temperature=0,  # Consistent formatting
    )

    import json

    return json.loads(response.content[0].text)


try:
    print(extract_information("Ada Lovelace was born in London on 10 December 1815."))
except ValueError as problem:  # a small model's text need not be JSON
    print(f"Not JSON: {problem}")
