"""MegaLLM: a self-hosted gateway for Anthropic's Messages API."""

__version__ = "0.1.0"
