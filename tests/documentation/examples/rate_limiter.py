# As printed, so neither linted nor typed.
# ruff: noqa
# mypy: ignore-errors

import os
import time
from collections import deque
from threading import Lock

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["MEGALLM_BASE_URL"], api_key=os.environ["MEGALLM_API_KEY"])


class RateLimiter:
    def __init__(self, max_requests=50, window=60):
        self.max_requests = max_requests
        self.window = window
        self.requests = deque()
        self.lock = Lock()

    def wait_if_needed(self):
        with self.lock:
            now = time.time()
            # Remove old requests
            while self.requests and self.requests[0] < now - self.window:
                self.requests.popleft()

            if len(self.requests) >= self.max_requests:
                sleep_time = self.window - (now - self.requests[0])
                if sleep_time > 0:
                    time.sleep(sleep_time)
                    return self.wait_if_needed()

            self.requests.append(now)


rate_limiter = RateLimiter(max_requests=50, window=60)


def create_message(**kwargs):
    rate_limiter.wait_if_needed()
    return client.messages.create(**kwargs)


for _ in range(2):
    message = create_message(
        model="claude-3.5-sonnet", max_tokens=10, messages=[{"role": "user", "content": "Hello, Claude!"}]
    )
    print(message.usage.output_tokens)
