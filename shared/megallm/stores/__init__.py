"""The operations' ports over AWS: the only place, with the bedrock client, that imports botocore."""
