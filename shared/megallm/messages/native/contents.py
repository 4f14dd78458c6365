"""Content blocks and tools of a request in our own format, against the table of its route."""

from collections.abc import Sequence

from pydantic_core import to_json

from megallm.errors import clip
from megallm.messages.blocks import ContentSource, DocumentBlock, Shape, ThinkingBlock, ToolResultBlock
from megallm.messages.calls import Adaptation
from megallm.messages.compatibility import Rule, Rules
from megallm.messages.native.fields import all_pass
from megallm.messages.native.plan import Path, Plan, dotted, refused
from megallm.messages.requests import TokenCountRequest
from megallm.messages.signatures import is_ours

_TOOL = "tool."


def take_contents(request: TokenCountRequest, rules: Rules, plan: Plan) -> None:
    """Plans what the rules of blocks and tools ask for, and the removal of thinking that we signed ourselves.

    Raises InvalidRequest for what is refused, and where nothing would be left of a list.
    """
    blocks = Rules({name: rule for name, rule in rules.named.items() if not name.startswith(_TOOL)})
    if all_pass(blocks):
        blocks = Rules()  # only thinking needs to be looked for
    if blocks.named and isinstance(request.system, list):
        _take_list(request.system, blocks, ("system",), plan)
    for index, message in enumerate(request.messages):
        if isinstance(message.content, list) and (blocks.named or message.role == "assistant"):
            _take_list(message.content, blocks, ("messages", index, "content"), plan)
    tools = Rules({name[len(_TOOL) :]: rule for name, rule in rules.named.items() if name.startswith(_TOOL)})
    if request.tools and not all_pass(tools):
        _take_tools(request.tools, tools, plan)


def _take_list(blocks: Sequence[Shape], rules: Rules, path: Path, plan: Plan) -> None:
    kept = 0
    for position, block in enumerate(blocks):
        where = (*path, position)
        # Made on a translated route; the native upstream would refuse a signature that is not its own (C15).
        if isinstance(block, ThinkingBlock) and is_ours(block.signature):
            plan.drop(where)
        elif not rules.named or _take(_rule(block, rules), where, _type(block), plan):
            kept += 1
            match block:
                case ToolResultBlock(content=list(inner)):
                    _take_list(inner, rules, (*where, "content"), plan)
                case DocumentBlock(source=ContentSource(content=list(inner))):
                    _take_list(inner, rules, (*where, "source", "content"), plan)
                case _:
                    pass
    if blocks and not kept:
        raise refused(path, "none of these blocks")


def _take_tools(tools: Sequence[Shape], rules: Rules, plan: Plan) -> None:
    taken = [
        _take(rules.find(_type(tool) or "custom"), ("tools", position), _type(tool) or "custom", plan)
        for position, tool in enumerate(tools)
    ]
    if not any(taken):
        raise refused(("tools",), "none of these tools")


def _take(rule: Rule, where: Path, kind: str, plan: Plan) -> bool:
    """Whether it stays. A tool may go as another version of itself; a block would have to be made anew."""
    if rule.action == "refuse" or (rule.action == "rewrite" and where[0] != "tools"):
        raise refused(where, repr(clip(kind)))
    if rule.action == "rewrite":
        plan.put((*where, "type"), to_json(rule.to).decode())
        plan.adaptations.append(Adaptation(dotted((*where, "type")), rule.to))
    if rule.action == "drop":
        plan.drop(where)
    return rule.action != "drop"


def _rule(block: Shape, rules: Rules) -> Rule:
    """By type and source (``image.url``) where the table has that very entry, else by type."""
    kind = _type(block)
    return rules.named.get(f"{kind}.{_type(getattr(block, 'source', None))}") or rules.find(kind)


def _type(part: object) -> str:
    """The type of a block, tool or source; empty where it has none."""
    kind = part.get("type") if isinstance(part, dict) else getattr(part, "type", None)
    return kind if isinstance(kind, str) else ""
