"""Which models there are, what they are called and who answers for them: data, and how it is read."""
