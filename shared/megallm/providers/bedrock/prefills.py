"""A reply that the caller began, on a model that takes no conversation whose last turn is the assistant's."""

# Anthropic's own advice for such models: a user's turn that asks to go on.
# Source: https://platform.claude.com/docs/en/build-with-claude/prompt-engineering/claude-prompting-best-practices
GO_ON = "Your reply so far ends there. Go on exactly where it stopped; do not repeat any of it."
