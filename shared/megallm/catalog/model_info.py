"""Models as ``GET /v1/models`` shows them: the SDK's ``ModelInfo`` and its pages."""

from collections.abc import Collection

from megallm.catalog.models import LIFECYCLES, Capability, Catalog, Model
from megallm.errors import InvalidRequest

MAX_LIMIT = 1000

_SIMPLE_CAPABILITIES: tuple[Capability, ...] = (
    "batch",
    "citations",
    "code_execution",
    "image_input",
    "pdf_input",
    "structured_outputs",
)


def to_wire(model: Model) -> dict[str, object]:
    """One model. ``max_input_tokens`` is the window of the route that answers, whatever the model is called."""
    info: dict[str, object] = {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": f"{model.released.isoformat()}T00:00:00Z",
        "lifecycle": model.lifecycle,
        "max_input_tokens": model.context_tokens,
        "max_tokens": model.max_output_tokens,
    }
    if model.capabilities is not None:
        info["capabilities"] = _capabilities(frozenset(model.capabilities))
    return info


def _capabilities(has: frozenset[Capability]) -> dict[str, object]:
    """The SDK's ``ModelCapabilities``, whose keys are always all there. Effort below xhigh comes as one."""

    def support(name: Capability) -> dict[str, object]:
        return {"supported": name in has}

    return {
        **{name: support(name) for name in _SIMPLE_CAPABILITIES},
        "context_management": support("context_management"),
        "effort": {
            **support("effort"),
            **{level: support("effort") for level in ("low", "medium", "high")},
            "xhigh": support("effort.xhigh"),
            "max": support("effort.max"),
        },
        "server_tools": {
            **support("server_tools"),
            "code_execution": support("server_tools.code_execution"),
            "web_search": support("server_tools.web_search"),
        },
        "thinking": {
            **support("thinking"),
            "types": {
                "enabled": support("thinking"),
                "disabled": {"supported": True},
                "adaptive": support("thinking.adaptive"),
                "between_tools": support("thinking.between_tools"),
            },
        },
    }


def page(
    catalog: Catalog,
    *,
    limit: str | None = None,
    after_id: str | None = None,
    before_id: str | None = None,
    lifecycles: Collection[str] = (),
) -> dict[str, object]:
    """A page, the newest model first; without a *limit* it holds the whole catalogue (C41).

    Raises InvalidRequest for a limit outside 1 to 1000, an unknown lifecycle, an id that is not there, or both
    cursors at once.
    """
    for lifecycle in lifecycles:
        if lifecycle not in LIFECYCLES:
            raise InvalidRequest(f"lifecycle: Input should be one of {', '.join(LIFECYCLES)}", param="lifecycle")
    # As the SDK says: without a wish, retired models are not shown.
    shown = lifecycles or ("active", "deprecated")
    models = [model for model in catalog.models if model.lifecycle in shown]
    count = _limit(limit)
    if after_id is not None and before_id is not None:
        raise InvalidRequest("before_id: only one of after_id and before_id can be given", param="before_id")
    start, end = 0, len(models)
    if after_id is not None:
        start = _position(models, after_id, "after_id") + 1
    if before_id is not None:
        end = _position(models, before_id, "before_id")
        start = max(0, end - count)
    rows = models[start : min(end, start + count)]
    more = start > 0 if before_id is not None else start + count < end
    return {
        "data": [to_wire(model) for model in rows],
        "has_more": more,
        "first_id": rows[0].id if rows else None,
        "last_id": rows[-1].id if rows else None,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return MAX_LIMIT
    limit = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT)) else 0
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequest(f"limit: Input should be a whole number from 1 to {MAX_LIMIT}", param="limit")
    return limit


def _position(models: list[Model], model_id: str, param: str) -> int:
    for position, model in enumerate(models):
        if model.id == model_id:
            return position
    raise InvalidRequest(f"{param}: there is no model with this id", param=param)
