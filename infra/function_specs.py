"""Which functions there are, and the entry of each: roles, alarms and the dashboard are made from this list."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A Lambda function: its role in the stack, its entry in the bundle, and how long it may run."""

    role: str
    handler: str
    description: str
    timeout_seconds: int
    serves_http: bool = False

    @property
    def construct_id(self) -> str:
        """Its name in the stack's tree."""
        return "".join(word.capitalize() for word in self.role.split("-"))


# API Gateway waits 29 s for a buffered answer: the function ends before, and says why.
BUFFERED_SECONDS = 28
LONGEST_SECONDS = 900

API = FunctionSpec("api", "functions.api.handler.handler", "All routes but streamed ones", BUFFERED_SECONDS, True)
MESSAGES = FunctionSpec(
    "messages", "functions.api.handler.handler", "POST /v1/messages and the results of batches", LONGEST_SECONDS, True
)
INTAKE = FunctionSpec(
    "batch-intake",
    "functions.batch_intake.handler.handler",
    "New files and job messages become batches",
    LONGEST_SECONDS,
)
WORKER = FunctionSpec(
    "batch-worker", "functions.batch_worker.handler.handler", "A part of a batch becomes its results", LONGEST_SECONDS
)
FINISHER = FunctionSpec(
    "batch-finisher", "functions.batch_finisher.handler.handler", "Finished parts become result files", LONGEST_SECONDS
)
FUNCTIONS = (API, MESSAGES, INTAKE, WORKER, FINISHER)
