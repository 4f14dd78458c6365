"""What `cdk deploy` does, for an emulator: the assets go into CDK's bucket, the template becomes a stack."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.infra.deployed.emulator import REGION, Emulator

_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stack that is there, from its cloud assembly. ``base_url`` is its API's, by the emulator's address of it."""

    emulator: Emulator
    base_url: str
    outputs: dict[str, str]
    assembly: Path

    def variables(self, function: str) -> dict[str, str]:
        """The environment that a deployed function has."""
        client = self.emulator.client("lambda")
        found: dict[str, str] = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        return found

    def set_variable(self, function: str, name: str, value: str) -> None:
        """In the environment of a deployed function, beside what the stack gave it."""
        variables = {**self.variables(function), name: value}
        client = self.emulator.client("lambda")
        client.update_function_configuration(FunctionName=function, Environment={"Variables": variables})

    def keys(self, prefix: str) -> list[str]:
        """Of the objects in the stack's bucket."""
        found = self.emulator.client("s3").list_objects_v2(Bucket=self.outputs["Bucket"], Prefix=prefix)
        return [each["Key"] for each in found.get("Contents", [])]

    def read(self, key: str) -> bytes:
        """An object of the stack's bucket."""
        answer = self.emulator.client("s3").get_object(Bucket=self.outputs["Bucket"], Key=key)
        content: bytes = answer["Body"].read()
        return content

    def logged(self) -> str:
        """The lines of the functions that queues and the schedule call; the emulator's own are no JSON."""
        text = self.emulator.log.read_text()
        return "\n".join(line for line in text.splitlines() if line.startswith("{") and line.endswith("}"))


def deploy(emulator: Emulator, assembly: Path, stack: str) -> Deployed:
    """Of the cloud assembly's one stack. Fails where a resource cannot be made."""
    template_key = _publish(emulator, assembly, stack)
    emulator.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="27", Type="String")
    cloudformation = emulator.client("cloudformation")
    url = f"{emulator.endpoint_url}/{_bucket(emulator)}/{template_key}"
    cloudformation.create_stack(StackName=stack, TemplateURL=url, Capabilities=["CAPABILITY_IAM"])
    made = _wait(cloudformation, stack)
    outputs = {each["OutputKey"]: each["OutputValue"] for each in made["Outputs"]}
    api = outputs["Endpoint"].removeprefix("https://").partition(".")[0]
    return Deployed(emulator, f"{emulator.endpoint_url}/restapis/{api}/prod/_user_request_", outputs, assembly)


def _publish(emulator: Emulator, assembly: Path, stack: str) -> str:
    """Uploads every file; gives the template's key."""
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=_bucket(emulator), CreateBucketConfiguration={"LocationConstraint": REGION})
    template_key = ""
    for asset in json.loads((assembly / f"{stack}.assets.json").read_text())["files"].values():
        path = asset["source"]["path"]
        for destination in asset["destinations"].values():
            s3.upload_file(str(assembly / path), _bucket(emulator), destination["objectKey"])
            if path.endswith(".template.json"):
                template_key = destination["objectKey"]
    return template_key


def _bucket(emulator: Emulator) -> str:
    account = emulator.client("sts").get_caller_identity()["Account"]
    return f"cdk-hnb659fds-assets-{account}-{REGION}"


def _wait(cloudformation: Any, stack: str) -> Any:  # Any: boto3's answers
    end = time.monotonic() + _SECONDS
    while True:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        if not found["StackStatus"].endswith("IN_PROGRESS"):
            break
        assert time.monotonic() < end, found
        time.sleep(0.2)
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [each for each in events if each["ResourceStatus"].endswith("FAILED")]
    assert (found["StackStatus"], failed) == ("CREATE_COMPLETE", [])
    return found
