"""The examples of MegaLLM's documentation, run against the local stack as a reader would run them."""
