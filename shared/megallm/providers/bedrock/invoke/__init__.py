"""Claude on Bedrock, by InvokeModel: our own format, in AWS's envelope."""
