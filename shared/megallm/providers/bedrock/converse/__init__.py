"""The Messages API translated to Bedrock's Converse and back, for models that are not Claude."""
