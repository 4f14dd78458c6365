"""DynamoDB's expressions: an update with its named conditions, and the names that it uses. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from megallm.stores.batch_items import Key

Request = dict[str, Any]  # Any: DynamoDB's JSON
Value = Mapping[str, Any]

IS_NEW = "attribute_not_exists(#pk)"
IS_KNOWN = "attribute_exists(#pk)"


def update(key: Key, change: str, conditions: Sequence[str], values: Mapping[str, Value]) -> Request:
    """What UpdateItem takes, beside the table: *change* where all *conditions* hold."""
    request = where(conditions, values)
    request["ExpressionAttributeNames"] |= _aliases(change)
    return {"Key": key, "UpdateExpression": change, **request}


def where(conditions: Sequence[str], values: Mapping[str, Value] | None = None) -> Request:
    """The conditions alone, as every kind of write takes them."""
    joined = " AND ".join(conditions)
    request: Request = {"ConditionExpression": joined, "ExpressionAttributeNames": _aliases(joined)}
    if values:
        request["ExpressionAttributeValues"] = dict(values)
    return request


def _aliases(expression: str) -> dict[str, str]:
    """Every name goes as ``#name``: a third of them are DynamoDB's reserved words."""
    return {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}
