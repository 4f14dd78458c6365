"""What is printed after a deployment and after its end: what to do next, ready to be copied."""

import shlex
from collections.abc import Mapping

from infra.options import Options
from megallm.stores.resources import PREFIX


def after_deploy(outputs: Mapping[str, str], region: str, profile: str | None) -> str:
    """The stack's outputs, and the commands that make the first key and send the first message."""
    where = f"--region {region}" if profile is None else f"--profile {shlex.quote(profile)} --region {region}"
    name = outputs["KeysTable"].removesuffix("-keys")
    ours = where if name == PREFIX else f"{where} --stack {name}"
    endpoint = outputs["Endpoint"].rstrip("/")
    target = outputs.get("DomainTarget")
    domain = "" if target is None else f"\n  DNS        {endpoint.removeprefix('https://')} is a CNAME for {target}"
    return f"""
The gateway is there.

  Endpoint   {endpoint}
  Bucket     {outputs["Bucket"]}
  Queue      {outputs["IntakeQueue"]}
  Streaming  {outputs["Streaming"]}{domain}

Make the first key:

  .venv/bin/megallm keys create --name first {ours}

and try it. This prints settings for SDKs, Claude Code and curl, sends a message, and says whether it streams:

  export MEGALLM_API_KEY=mega_...
  .venv/bin/megallm connect {ours}

A file that is dropped into the bucket becomes a batch, and so does a job message in the queue (docs/batches.md):

  aws s3 cp report.txt s3://{outputs["Bucket"]}/inbox/summarize/bullet_points/ {where}
  aws sqs send-message --queue-url {outputs["IntakeQueue"]} --message-body file://job.json {where}
"""


def after_destroy(options: Options) -> str:
    """What is left, and how it goes or comes back."""
    if not options.retain_data:
        return "\nThe stack is gone, with its tables."
    return (
        f"\nThe stack is gone. The tables {options.name}-* and the bucket are kept, and the next `make deploy` takes "
        "them up.\ndocs/operations.md says how to delete them for good."
    )
