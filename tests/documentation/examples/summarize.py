# As printed, so neither linted nor typed.
# ruff: noqa
# mypy: ignore-errors

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["MEGALLM_BASE_URL"], api_key=os.environ["MEGALLM_API_KEY"])


def summarize(text, style="bullet_points"):
    styles = {
        "bullet_points": "Create a bullet-point summary",
        "paragraph": "Write a concise paragraph summary",
        "executive": "Write an executive summary",
        "eli5": "Explain like I'm 5",
    }

    response = client.messages.create(
        model="claude-3.5-sonnet",
        max_tokens=300,
        system="You are a professional summarizer.",
        messages=[{"role": "user", "content": f"{styles.get(style, styles['bullet_points'])}:\n\n{text}"}],
        temperature=0.3,
    )
    return response.content[0].text


TEXT = "The primary colors are red, yellow and blue. All other colors are mixed from them."

for style in ("bullet_points", "paragraph", "executive", "eli5", "unknown"):
    print(summarize(TEXT, style))
