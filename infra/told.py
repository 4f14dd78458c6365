"""What is printed after a deployment and after its end: what to do next, ready to be copied."""

import shlex
from collections.abc import Mapping

from infra.options import Options


def after_deploy(outputs: Mapping[str, str], region: str, profile: str | None) -> str:
    """The stack's outputs, and the commands that make the first key and send the first message."""
    where = f"--region {region}" if profile is None else f"--profile {shlex.quote(profile)} --region {region}"
    table = outputs["KeysTable"]
    named = "" if table == "megallm-keys" else f" --table {table}"
    endpoint = outputs["Endpoint"].rstrip("/")
    return f"""
The gateway is there.

  Endpoint   {endpoint}
  Bucket     {outputs["Bucket"]}
  Streaming  {outputs["Streaming"]}

Make the first key:

  .venv/bin/megallm keys create --name first {where}{named}

and send the first message with it:

  curl {endpoint}/v1/messages -H "x-api-key: $KEY" -H "content-type: application/json" \\
    -d '{{"model": "claude-haiku-4-5", "max_tokens": 100, "messages": [{{"role": "user", "content": "Hello!"}}]}}'

A file that is dropped into the bucket becomes a batch:

  aws s3 cp report.txt s3://{outputs["Bucket"]}/inbox/summarize/bullet_points/ {where}
"""


def after_destroy(options: Options) -> str:
    """What is left, and how it goes or comes back."""
    if not options.retain_data:
        return "\nThe stack is gone, with its tables."
    return (
        f"\nThe stack is gone. The tables {options.name}-* and the bucket are kept, and the next `make deploy` takes "
        "them up.\ndocs/operations.md says how to delete them for good."
    )
