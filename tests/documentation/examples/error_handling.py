# As printed, so neither linted nor typed.
# ruff: noqa
# mypy: ignore-errors

import os
import time

from anthropic import Anthropic, APIConnectionError, APIError, RateLimitError

client = Anthropic(base_url=os.environ["MEGALLM_BASE_URL"], api_key=os.environ["MEGALLM_API_KEY"], max_retries=0)


def safe_message_create(client, **kwargs):
    max_retries = 3
    retry_delay = 1

    for attempt in range(max_retries):
        try:
            return client.messages.create(**kwargs)

        except RateLimitError as e:
            if attempt < max_retries - 1:
                time.sleep(retry_delay * (2**attempt))
                continue
            raise e

        except APIConnectionError as e:
            print(f"Connection error: {e}")
            if attempt < max_retries - 1:
                time.sleep(retry_delay)
                continue
            raise e

        except APIError as e:
            print(f"API error: {e}")
            raise e


message = safe_message_create(
    client,
    model="claude-3.5-sonnet",
    max_tokens=100,
    messages=[{"role": "user", "content": "What are the primary colors?"}],
)
print(message.content[0].text)
