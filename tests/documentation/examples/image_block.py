# As printed, so neither linted nor typed.
# ruff: noqa
# mypy: ignore-errors

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["MEGALLM_BASE_URL"], api_key=os.environ["MEGALLM_API_KEY"])

message = {
    "role": "user",
    "content": [
        {"type": "text", "text": "What's in this image?"},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/jpeg", "data": "base64_encoded_image_data"},
        },
    ],
}

client.messages.create(model="claude-3.5-sonnet", max_tokens=100, messages=[message])
