"""The body of a new batch, cut into lines while it arrives."""

import json
from typing import Any

import pytest

from megallm.batches.lines import MAX_LINE_BYTES
from megallm.batches.submission import MAX_REQUESTS, RequestSplitter
from megallm.errors import InvalidRequest, RequestTooLarge

PARAMS = {"model": "claude-test", "max_tokens": 5, "messages": [{"role": "user", "content": 'Grüß "Gott" \\ 👋 {[,]}'}]}


def split(body: bytes, piece_bytes: int = 1 << 30, window_letters: int = 1 << 20) -> bytes:
    """The lines of a body that comes in such pieces."""
    splitter = RequestSplitter(window_letters)
    lines = [splitter.feed(body[start : start + piece_bytes]) for start in range(0, len(body), piece_bytes)]
    return b"".join([*lines, splitter.finish()])


def refusal(body: bytes) -> tuple[str, str | None]:
    """What is said of a body that is refused, whole or in pieces."""
    told = []
    for piece_bytes in (1 << 30, 1):
        with pytest.raises(InvalidRequest) as raised:
            split(body, piece_bytes)
        told.append((raised.value.message, raised.value.param))
    assert told[0] == told[1]
    return told[0]


def requests(count: int) -> list[dict[str, Any]]:  # Any: JSON
    return [{"custom_id": f"item-{number}", "params": PARAMS} for number in range(count)]


@pytest.mark.parametrize("piece_bytes", [1, 7, 1 << 30])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_each_request_is_a_line(piece_bytes: int, indent: int | None, ascii_only: bool) -> None:
    """Whatever pieces the body comes in, and however it is written."""
    body = json.dumps({"requests": requests(3)}, indent=indent, ensure_ascii=ascii_only).encode()

    lines = split(body, piece_bytes)

    assert [json.loads(line) for line in lines.split(b"\n")[:-1]] == requests(3)


@pytest.mark.parametrize("window", [1, 2, 3, 50, 101])
def test_the_window_s_end_may_cut_anything(window: int) -> None:
    """Numbers, literals, escapes and surrogate pairs: what is unfinished is read again with the next window."""
    params = b'{"a":[1,-2.5e+10,true,false,null,"\\ud83d\\ude00\\n",{"b":{}}],"c":12345678901234567890}'
    request = b'{"custom_id":"x","params":' + params + b"}"
    body = b' { "first" : -1.5e3 , "requests" : [ ' + request + b' ] , "last" : null , "n" : 12 } \n'

    assert split(body, 1, window) == request + b"\n"


def test_a_request_stays_as_it_was_sent() -> None:
    """The order of its fields and the spelling of its numbers too; only line ends between tokens become spaces."""
    body = b'{"requests":[{"params":\r\n{"z":1.10,"a":1e3},"custom_id":"a","more":[]}]}'

    assert split(body) == b'{"params":  {"z":1.10,"a":1e3},"custom_id":"a","more":[]}\n'


def test_parameters_are_not_looked_into() -> None:
    """Anthropic's guide: they are validated when the request runs, and become an errored result then."""
    assert split(b'{"requests":[{"custom_id":"a","params":{}}]}') == b'{"custom_id":"a","params":{}}\n'


@pytest.mark.parametrize(
    ("second", "told", "param"),
    [
        (b"5", "Input should be an object", "requests.1"),
        (b'{"params":{}}', "Field required", "requests.1.custom_id"),
        (
            b'{"custom_id":null,"params":{}}',
            "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
            "requests.1.custom_id",
        ),
        (
            b'{"custom_id":"","params":{}}',
            "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
            "requests.1.custom_id",
        ),
        (
            b'{"custom_id":"a b","params":{}}',
            "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
            "requests.1.custom_id",
        ),
        (
            b'{"custom_id":"a\\n","params":{}}',
            "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
            "requests.1.custom_id",
        ),
        (
            b'{"custom_id":"' + b"a" * 65 + b'","params":{}}',
            "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
            "requests.1.custom_id",
        ),
        (b'{"custom_id":"first","params":{}}', "'first' is there twice; it must be unique", "requests.1.custom_id"),
        (b'{"custom_id":"b"}', "Field required", "requests.1.params"),
        (b'{"custom_id":"b","params":[]}', "Input should be an object", "requests.1.params"),
    ],
)
def test_a_request_that_cannot_be_told_from_others_is_named(second: bytes, told: str, param: str) -> None:
    """C42: a 400 that names the index."""
    body = b'{"requests":[{"custom_id":"first","params":{}},' + second + b"]}"

    assert refusal(body) == (f"{param}: {told}", param)


def test_a_lone_surrogate_is_refused_by_its_index() -> None:
    """C08: as in a message; no result could give its custom_id back otherwise."""
    body = b'{"requests":[{"custom_id":"a","params":{"model":"\\ud800"}}]}'

    message, param = refusal(body)

    assert (message.startswith("requests.0: is not valid JSON: "), param) == (True, "requests.0")


@pytest.mark.parametrize(
    ("body", "told", "param"),
    [
        (b"", "The request body is not valid JSON: it ends too early, at character 0", None),
        (b"[]", "The request body must be a JSON object", None),
        (b"{}", "requests is required", "requests"),
        (b'{"other":1}', "requests is required", "requests"),
        (b'{"requests":{}}', "requests: Input should be a list", "requests"),
        (b'{"requests":[]}', "requests: List should have at least 1 item", "requests"),
        (b'{"requests":[],"requests":[]}', "requests: is there twice", "requests"),
        (
            b'{"requests":[{"custom_id":"a","params":{}}',
            "The request body is not valid JSON: it ends too early, at character 42",
            None,
        ),
        (
            b'{"requests":[{"custom_id":"a","params":{}}]',
            "The request body is not valid JSON: it ends too early, at character 43",
            None,
        ),
        (
            b'{"requests":[{"custom_id":"a","params":{}} {}]}',
            "The request body is not valid JSON: , or ] is expected, at character 43",
            None,
        ),
        (b'{"requests":[{"custom_id":"a","params":{}},]}', "requests.1: Input should be an object", "requests.1"),
        (
            b'{"requests":[{"custom_id":"a","params":{}}]} x',
            "The request body is not valid JSON: something follows its end, at character 45",
            None,
        ),
        (
            b'{"requests":[{"custom_id":"a","params":{}}],}',
            "The request body is not valid JSON: a name in quotes is expected, at character 44",
            None,
        ),
        (
            b'{"a":NaN,"requests":[]}',
            "The request body is not valid JSON: it holds a value that cannot be read, at character 5",
            None,
        ),
        (
            b'{"requests":[{"custom_id":"\xff","params":{}}]}',
            "The request body is not valid JSON: it is not UTF-8",
            None,
        ),
    ],
)
def test_a_body_that_is_no_batch_is_refused(body: bytes, told: str, param: str | None) -> None:
    """C08, C42: with what is wrong, and where."""
    assert refusal(body) == (told, param)


def test_a_fault_in_the_middle_is_found_at_once() -> None:
    """A body of 256 MB is not read to its end for that."""
    splitter = RequestSplitter()
    body = b'{"requests":[{"custom_id":"a" "params":{}},' + b" " * (2 << 20)

    with pytest.raises(InvalidRequest, match=r"not valid JSON: .* at character 30"):
        splitter.feed(body)


def test_deep_nesting_is_refused() -> None:
    """C08: it is no crash."""
    body = b'{"requests":[{"custom_id":"a","params":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}]}"

    with pytest.raises(InvalidRequest):
        split(body)


@pytest.mark.parametrize("piece_bytes", [1 << 16, 1 << 30])
def test_a_request_has_the_size_of_an_item(piece_bytes: int) -> None:
    """DESIGN: 1 MB an item; a larger one is refused by its index, as soon as that is seen."""
    empty = b'{"custom_id":"a","params":{"a":""}}'
    largest = empty.replace(b'""', b'"' + b"x" * (MAX_LINE_BYTES - len(empty)) + b'"')

    assert split(b'{"requests":[' + largest + b"]}", piece_bytes) == largest + b"\n"
    with pytest.raises(RequestTooLarge, match=r"requests\.0: is larger than the 1,048,576 bytes"):
        split(b'{"requests":[' + largest.replace(b"xx", b"xxx", 1) + b"]}", piece_bytes)
    with pytest.raises(RequestTooLarge, match=r"requests\.0: is larger"):
        RequestSplitter().feed(b'{"requests":[{"custom_id":"' + b"x" * (3 << 20))


def test_white_space_may_be_of_any_size() -> None:
    """It is no part of a request."""
    space = b" " * (3 << 20)
    body = (
        space + b'{"requests":' + space + b"[" + space + b'{"custom_id":"a","params":{}}' + space + b"]" + space + b"}"
    )

    assert split(body, 1 << 20) == b'{"custom_id":"a","params":{}}\n'


def test_more_than_100000_requests_are_refused() -> None:
    """C42: the limit, and what carries more."""
    one = b'{"custom_id":"%d","params":{}}'
    body = b'{"requests":[' + b",".join(one % number for number in range(MAX_REQUESTS + 1)) + b"]}"

    with pytest.raises(InvalidRequest) as raised:
        split(body, 1 << 16)

    assert raised.value.message == (
        "requests: List should have at most 100000 items; "
        "drop a file into S3, or use `megallm batch submit`, which carry more"
    )
