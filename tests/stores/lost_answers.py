"""Answers of AWS that get lost on their way: the call was applied, and boto3 sends it once more."""

from typing import Any


def lose_the_first_answer(client: Any, operation: str) -> list[str]:  # Any: every client has its own type
    """The first answer to this operation is lost. Gives a list that has an entry once that has happened."""
    lost: list[str] = []
    event = f"needs-retry.{client.meta.service_model.service_name}.{operation}"

    def lose(**_: Any) -> float:
        lost.append(operation)
        client.meta.events.unregister(event, lose)
        return 0.0  # seconds until boto3 sends the request again

    client.meta.events.register_first(event, lose)
    return lost
