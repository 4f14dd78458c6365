# As printed, so neither linted nor typed.
# ruff: noqa
# mypy: ignore-errors

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["MEGALLM_BASE_URL"], api_key=os.environ["MEGALLM_API_KEY"])

messages = [
    {
        "role": "user",
        "content": """Analyze this Python code:
    1. Identify any bugs
    2. Suggest performance improvements
    3. Rate code quality (1-10)

    Code:
    ```python
    def fibonacci(n):
        if n <= 1:
            return n
        return fibonacci(n-1) + fibonacci(n-2)
    ```""",
    }
]

# More deterministic
response = client.messages.create(
    model="claude-3.5-sonnet",
    max_tokens=100,
    temperature=0.0,  # Very consistent
    messages=messages,
)
print(response.content[0].text)

# More creative
response = client.messages.create(
    model="claude-3.5-sonnet",
    max_tokens=100,
    temperature=1.0,  # More varied
    top_p=0.95,  # Nucleus sampling
    messages=messages,
)
print(response.content[0].text)

# Factual/analytical tasks
response = client.messages.create(
    model="claude-3.5-sonnet",
    max_tokens=200,
    temperature=0,  # Deterministic
    messages=messages,
)
print(response.content[0].text)

# Creative tasks
response = client.messages.create(
    model="claude-3.5-sonnet",
    max_tokens=200,
    temperature=0.8,  # More creative
    messages=messages,
)
print(response.content[0].text)
