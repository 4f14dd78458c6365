"""FastAPI, imported so that none of its models is built before something uses it, which here nothing does.

Most of them are of OpenAPI's documents, and ours is made by ``describe``. Building them took a tenth of a cold start.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel

__all__ = ["AsyncExitStackMiddleware", "FastAPI", "RequestValidationError"]


@contextmanager
def _built_when_first_used() -> Iterator[None]:
    """Models defined meanwhile inherit it as any other setting of their base."""
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]


with _built_when_first_used():
    from fastapi import FastAPI
    from fastapi.exceptions import RequestValidationError
    from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
