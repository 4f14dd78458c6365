"""Amazon Bedrock: InvokeModel for Claude models, Converse for the others."""
