"""claude-code-router, installed into this folder by ``python -m tests.benchmarks.router.install``."""
