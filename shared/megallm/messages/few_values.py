"""The values of a large payload of few parts, such as one long text.

Looked at one by one, they are searched faster than the JSON that they came in.
"""

LARGE_BYTES = 256 * 1024  # below, a search through the bytes costs little
MOST_VALUES = 1000


def few_values(payload: object) -> list[object] | None:
    """All keys, strings, numbers and constants of parsed JSON, in no order; None where there are too many."""
    found: list[object] = []
    left: list[object] = [payload]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            found.extend(value)
            left.extend(value.values())
        elif isinstance(value, list | tuple):
            left.extend(value)
        else:
            found.append(value)
        if len(found) + len(left) > MOST_VALUES:
            return None
    return found
