"""The metrics that the functions write into their logs, in the embedded metric format: their names, for the charts."""

NAMESPACE = "MegaLLM"

REQUESTS = "Requests"
INPUT_TOKENS = "InputTokens"
OUTPUT_TOKENS = "OutputTokens"
COST = "Cost"
FIRST_TOKEN = "TimeToFirstToken"  # noqa: S105  no password: the metric's name
REFUSALS = "Refusals"
STUCK_BATCHES = "StuckBatches"
MISCONFIGURED = "UpstreamMisconfigured"
