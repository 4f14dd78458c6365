"""The HTTP API as AWS Lambda runs it."""
