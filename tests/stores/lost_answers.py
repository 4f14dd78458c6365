"""Answers of AWS that get lost on their way, where boto3 sends the call once more, and refusals of another make."""

from typing import Any

from botocore.exceptions import ClientError


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


def refuse(client: Any, operation: str, code: str) -> None:
    """Makes an operation, when it is done, look refused, by a class that ``client.exceptions`` has not.

    That is what one of two threads sees that get their first refusal at once: botocore makes the classes twice.
    """

    def raise_it(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, operation)

    client.meta.events.register(f"after-call.{client.meta.service_model.service_name}.{operation}", raise_it)
