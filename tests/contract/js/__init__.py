"""The JavaScript SDKs of the contract tests, and their installation."""
