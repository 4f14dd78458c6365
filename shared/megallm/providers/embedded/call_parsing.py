"""Finds tool calls in streamed text: one that a grammar forced, or ones that the model chose to write.

Feed text, get fragments. What turns out to be no whole call stays text, so a broken block cannot come of it.
"""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from megallm.providers.embedded.tools import CALL_CLOSE, CALL_OPEN


@dataclass(frozen=True, slots=True)
class Text:
    """Text of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class CallBegin:
    """A call of this tool begins."""

    name: str


@dataclass(frozen=True, slots=True)
class CallInput:
    """A further piece of the JSON text of its input."""

    partial_json: str


Fragment = Text | CallBegin | CallInput

_HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*')


class ForcedCall:
    """Reads ``{"name": …, "arguments": {…}}``, which a grammar guarantees, and streams the arguments."""

    def __init__(self) -> None:
        self._head = ""
        self._began = False
        self._depth = 0
        self._in_string = self._escaped = False
        self.done = False

    def feed(self, text: str) -> list[Fragment]:
        """What the text adds to the call."""
        fragments: list[Fragment] = []
        if not self._began:
            self._head += text
            match = _HEAD.match(self._head)
            if match is None:
                return []
            self._began = True
            fragments.append(CallBegin(json.loads(match[1])))
            text = self._head[match.end() :]
        if piece := self._arguments(text):
            fragments.append(CallInput(piece))
        return fragments

    def flush(self) -> list[Fragment]:
        """Nothing is ever held back."""
        return []

    def _arguments(self, text: str) -> str:
        if self._depth == 0:
            text = text.lstrip()
        for position, letter in enumerate(text):
            if self.done:
                return text[:position]
            if self._escaped:
                self._escaped = False
            elif letter == "\\" and self._in_string:
                self._escaped = True
            elif letter == '"':
                self._in_string = not self._in_string
            elif not self._in_string and letter in "{[":
                self._depth += 1
            elif not self._in_string and letter in "}]":
                self._depth -= 1
                self.done = self._depth == 0
        return text


_FENCE = re.compile(r"```[a-z_]*[ \t]*\n?\s*")
_DECODER = json.JSONDecoder()


class ChosenCalls:
    """Finds ``<tool_call>…</tool_call>``, and what small models write instead.

    That is the bare JSON object at the beginning of a line, or in a fence. Text that may become a
    call is held back until that is known; a call comes whole. What a model writes after its calls
    is its own invention of their results: ``done`` tells to stop it.
    """

    def __init__(self, names: Collection[str], *, parallel: bool) -> None:
        self._names = names
        self._parallel = parallel
        self._held = ""
        self._at_line_start = True
        self._called = False
        self.done = False

    def feed(self, text: str) -> list[Fragment]:
        """The text that is certain to be text, and the calls that are whole."""
        self._held += text
        return self._advance(ended=False)

    def flush(self) -> list[Fragment]:
        """The reply has ended: what was held is now decided."""
        return self._advance(ended=True)

    def _advance(self, *, ended: bool) -> list[Fragment]:
        fragments: list[Fragment] = []
        while self._held and not self.done:
            start = self._candidate()
            # White space belongs to what follows: before a call it is dropped.
            plain = self._held[:start]
            body = plain.rstrip()
            if body:
                self._show(fragments, body)
                self._held = self._held[len(body) :]
                continue
            if start == len(self._held):
                if ended:
                    self._show(fragments, self._held)
                    self._held = ""
                break
            outcome = self._call(self._held[start:], ended=ended)
            if outcome is None:
                break
            calls, length = outcome
            if calls:
                self._add(fragments, calls)
                self._held = self._held[start + length :]
            else:
                self._show(fragments, self._held[: start + length])
                self._held = self._held[start + length :]
        if self.done:
            self._held = ""
        return fragments

    def _show(self, fragments: list[Fragment], text: str) -> None:
        if self._called:
            self.done = bool(text.strip()) or self.done
            return
        fragments.append(Text(text))
        _, line_break, last_line = text.rpartition("\n")
        self._at_line_start = not last_line.strip() and (bool(line_break) or self._at_line_start)

    def _add(self, fragments: list[Fragment], calls: list[tuple[str, str]]) -> None:
        for name, arguments in calls:
            if not self.done:
                fragments += [CallBegin(name), CallInput(arguments)]
                self._called = True
                self.done = not self._parallel
        self._at_line_start = True

    def _candidate(self) -> int:
        """Where a call, or the beginning of one, may start; the length of the text where nowhere."""
        found = len(self._held)
        for position in range(len(self._held)):
            rest = self._held[position:]
            if rest[0] not in "<{`":
                continue
            if rest.startswith(CALL_OPEN) or CALL_OPEN.startswith(rest):
                return position
            before = self._held[:position]
            line = before.rpartition("\n")[2]
            line_starts = not line.strip() and ("\n" in before or self._at_line_start)
            if line_starts and (_may_be_object(rest) or _may_be_fence(rest)):
                return position
        return found

    def _call(self, text: str, *, ended: bool) -> tuple[list[tuple[str, str]], int] | None:
        """(calls, length of what held them), no calls where it is text after all, None where it is too early."""
        if text.startswith(CALL_OPEN):
            end = text.find(CALL_CLOSE)
            if end == -1 and not ended:
                return None
            inner = text[len(CALL_OPEN) : end if end != -1 else len(text)]
            length = end + len(CALL_CLOSE) if end != -1 else len(text)
            return self._calls_in(inner), length
        if text.startswith("```"):
            head = _FENCE.match(text)
            begin = head.end() if head else 3
            end = text.find("```", begin)
            if end == -1 and not ended:
                return None
            calls = self._calls_in(text[begin : end if end != -1 else len(text)])
            return calls, (end + 3 if end != -1 else len(text))
        if text.startswith("{"):
            try:
                value, length = _DECODER.raw_decode(text)
            except json.JSONDecodeError as error:
                return ([], len(text)) if ended or not _may_become_json(text, error) else None
            call = self._as_call(value)
            return ([call] if call else []), length
        return ([], len(text)) if ended else None

    def _calls_in(self, text: str) -> list[tuple[str, str]]:
        """Every call of a text that holds nothing else; none where one is not right."""
        calls: list[tuple[str, str]] = []
        text = text.strip()
        while text:
            try:
                value, length = _DECODER.raw_decode(text)
            except ValueError:
                return []
            call = self._as_call(value)
            if call is None:
                return []
            calls.append(call)
            text = text[length:].lstrip(" \t\r\n,")
        return calls

    def _as_call(self, value: Any) -> tuple[str, str] | None:
        if not isinstance(value, dict):
            return None
        name, arguments = value.get("name"), value.get("arguments")
        if not isinstance(name, str) or name not in self._names or not isinstance(arguments, dict):
            return None
        return name, json.dumps(arguments, ensure_ascii=False)


def _may_be_object(text: str) -> bool:
    rest = text[1:].lstrip()
    return text[0] == "{" and (rest.startswith('"name"') or '"name"'.startswith(rest))


def _may_be_fence(text: str) -> bool:
    if not (text.startswith("```") or "```".startswith(text)):
        return False
    head = _FENCE.match(text)
    rest = text[head.end() :] if head else ""
    return not rest or rest.startswith(CALL_OPEN) or CALL_OPEN.startswith(rest) or _may_be_object(rest)


def _may_become_json(text: str, error: json.JSONDecodeError) -> bool:
    """Whether more text could make this a whole object: not where it is broken in the middle."""
    return error.pos >= len(text) - 1 or error.msg.startswith(("Unterminated", "Invalid \\", "Expecting value"))
