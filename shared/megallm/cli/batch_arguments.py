"""What a user may ask for in `megallm batch submit`; refused with a usage error before AWS is asked."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from megallm.batches.model import Job

_NAMES = {"target_language_codes": "--to", "source_language_code": "--from", "text_fields": "--text-field"}


def checked_job(task: str, options: dict[str, object]) -> "Job":
    """The validated job of these options. Raises typer.BadParameter."""
    from megallm.batches.options import job_of
    from megallm.errors import InvalidRequest

    try:
        return job_of(task, options)
    except InvalidRequest as error:
        raise typer.BadParameter(_in_words_of_the_command(error.message)) from error


def _in_words_of_the_command(message: str) -> str:
    for option, name in _NAMES.items():
        message = message.replace(f"{option}.0", name).replace(option, name)
    return message
