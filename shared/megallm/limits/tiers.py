"""The tiers' numbers: data that ships, or a file of the operator's."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from megallm.keys import MOST, Caller, Limits, Tier


class BrokenTiers(Exception):
    """The file cannot be used; the message names it and what is wrong."""


class _Numbers(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    requests_per_minute: Annotated[int, Field(ge=1, le=MOST.requests_per_minute)]
    tokens_per_minute: Annotated[int, Field(ge=1, le=MOST.tokens_per_minute)]
    concurrent: Annotated[int, Field(ge=1, le=MOST.concurrent)]

    def limits(self) -> Limits:
        return Limits(self.requests_per_minute, self.tokens_per_minute, self.concurrent)


class Tiers(BaseModel):
    """The numbers of every tier."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    basic: _Numbers
    pro: _Numbers
    enterprise: _Numbers

    def of_tier(self, tier: Tier) -> Limits:
        """What a key of this tier may do."""
        match tier:
            case "basic":
                return self.basic.limits()
            case "pro":
                return self.pro.limits()
            case "enterprise":
                return self.enterprise.limits()

    def of(self, caller: Caller) -> Limits:
        """What this caller may do: the numbers of its own, else its tier's."""
        return caller.limits or self.of_tier(caller.tier)


def load(file: Path | None = None) -> Tiers:
    """The tiers of *file*, or those that ship. Raises BrokenTiers."""
    source = str(file or "tiers.toml")
    try:
        if file is None:
            text = resources.files(__package__).joinpath("tiers.toml").read_text(encoding="utf-8")
        else:
            text = file.read_text(encoding="utf-8")
        return Tiers.model_validate(tomllib.loads(text))
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise BrokenTiers(f"{source}: {'; '.join(faults)}") from None
    except (OSError, ValueError) as error:
        raise BrokenTiers(f"{source}: {error}") from error
