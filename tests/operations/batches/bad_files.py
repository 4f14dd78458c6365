"""Files that are wrong in every way that people's files are, and what each of them must come to."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import to_json

from megallm.batches.model import TaskName

MIB = 1024 * 1024
TAKEN = ".jsonl, .ndjson, .json and .txt files are, each also with .gz"
LAYOUT = "there are inbox/summarize/<style>/NAME, inbox/translate/<language>/NAME, inbox/messages/NAME"

Error = tuple[int, str]  # the record's number, and the message


@dataclass(frozen=True, slots=True)
class BadFile:
    """*problem* is why all of it is refused; else it has results with these *ids*, of which these are *errors*.

    *task* is what the folder says, as far as it says one of ours.
    """

    key: str
    body: bytes
    problem: str | None = None
    ids: Sequence[str] = ()
    errors: Sequence[Error] = ()
    task: TaskName = "translate"


def row(custom_id: str, text: str = "Good morning") -> bytes:
    """A good line."""
    return to_json({"custom_id": custom_id, "text": text}) + b"\n"


ROWS = row("a") + row("b")
BOTH = ("a", "b")
BOM = b"\xef\xbb\xbf"
IN, TO_SPANISH = "in.jsonl", "inbox/translate/es"
NO_ITEMS = "There are no items in the file"
UTF16 = "The file is in UTF-16; it must be in UTF-8"
NO_OBJECT = "The line must be a JSON object"


def _packed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def _es(
    body: bytes, problem: str | None = None, *, name: str = IN, ids: Sequence[str] = (), errors: Sequence[Error] = ()
) -> BadFile:
    return BadFile(f"{TO_SPANISH}/{name}", body, problem, ids, errors)


WHOLE_FILES = {
    "empty": _es(b"", NO_ITEMS),
    "white space alone": _es(b"\n \r\n\t\n", NO_ITEMS),
    "an empty array": _es(b"[]", NO_ITEMS, name="in.json"),
    "an empty text": _es(b" \n", "There is no text in the file", name="in.txt"),
    "nothing packed": _es(_packed(b""), NO_ITEMS, name="in.jsonl.gz"),
    "UTF-16 with its mark": _es(ROWS.decode().encode("utf-16"), UTF16),
    "UTF-16 without": _es(ROWS.decode().encode("utf-16-le"), UTF16),
    "UTF-16, packed": _es(_packed(ROWS.decode().encode("utf-16")), UTF16, name="in.jsonl.gz"),
    "a gzip that breaks off": _es(_packed(ROWS * 50)[:-1], "The gzip breaks off before its end", name="in.jsonl.gz"),
    "a gzip with wrong bytes": _es(_packed(ROWS)[:20] + b"x" * 40, "The gzip is broken", name="in.jsonl.gz"),
    "a gzip's checksum": _es(_packed(ROWS)[:-8] + bytes(8), "The gzip is broken", name="in.jsonl.gz"),
    "a gzip by name": _es(ROWS, "'in.jsonl.gz' is named like a gzip and is none", name="in.jsonl.gz"),
    "a gzip bomb": _es(
        _packed(row("a") + b" " * 30 * MIB), "The gzip unpacks to more than 200 times its size", name="in.jsonl.gz"
    ),
    "a gzip in a gzip": _es(
        _packed(_packed(ROWS)), f"The file is packed with gzip more than once; {TAKEN}", name="in.jsonl.gz"
    ),
    "binary": _es(bytes(range(256)) * 10, f"The file is binary; {TAKEN}"),
    "a PDF": _es(b"%PDF-1.7\n", f"The file is a PDF; {TAKEN}"),
    "a picture": _es(b"\x89PNG\r\n\x1a\n", f"The file is an image; {TAKEN}"),
    "an office document by name": _es(b"PK\x03\x04", f"'in.docx': .docx files are not taken; {TAKEN}", name="in.docx"),
    "an array that breaks off": _es(b'[{"text":"a"},', "The JSON array breaks off after element 1", name="in.json"),
    "a text in Latin-1": _es("Größe".encode("latin-1"), "The text is not in UTF-8: byte 3 is wrong", name="in.txt"),
    "a text that is too large": _es(
        b"word " * 210_000, "The text is larger than 1,048,576 bytes, which is the most for one item", name="in.txt"
    ),
    "an unknown task": BadFile("inbox/dance/in.jsonl", ROWS, f"'dance' is no task; {LAYOUT}", task="messages"),
    "no task": BadFile("inbox/in.jsonl", ROWS, f"'in.jsonl' is no task; {LAYOUT}", task="messages"),
    "no language": BadFile(
        "inbox/translate/in.jsonl", ROWS, f"A folder is missing in 'inbox/translate/in.jsonl'; {LAYOUT}"
    ),
    "an unknown language": BadFile(
        "inbox/translate/Klingon/in.jsonl",
        ROWS,
        "translate: 'Klingon' is no language code of ours; it should be one of BCP 47, such as es, ja or pt-BR",
    ),
    "a language's name": BadFile(
        "inbox/translate/Spanish/in.jsonl",
        ROWS,
        "translate: 'Spanish' is no language code of ours; did you mean es?",
    ),
    "an unknown style": BadFile(
        "inbox/summarize/haiku/in.jsonl",
        ROWS,
        "'haiku' is no style of summaries; there are bullet_points, paragraph, executive, eli5",
        task="summarize",
    ),
}

GOOD_AFTER_ALL = {
    "no newline at the end": _es(ROWS[:-1], ids=BOTH),
    "CRLF": _es(ROWS.replace(b"\n", b"\r\n"), ids=BOTH),
    "a byte order mark": _es(BOM + ROWS, ids=BOTH),
    "a byte order mark and CRLF, packed": _es(
        _packed(BOM + ROWS.replace(b"\n", b"\r\n")), ids=BOTH, name="in.jsonl.gz"
    ),
    "empty lines between": _es(b"\n\n" + row("a") + b" \r\n" + row("b") + b"\n", ids=BOTH),
    "a gzip of two members": _es(_packed(row("a")) + _packed(row("b")), ids=BOTH, name="in.jsonl.gz"),
    "a gzip of two members, cut inside of a line": _es(
        _packed(ROWS[:20]) + _packed(ROWS[20:]), ids=BOTH, name="in.jsonl.gz"
    ),
    "a gzip by its bytes alone": _es(_packed(ROWS), ids=BOTH),
    "line ends of Unicode inside of texts": _es(
        '{"custom_id":"a","text":"one\u2028two\u0085three"}\n'.encode() + row("b"), ids=BOTH
    ),
}

BAD_LINES = {
    "ids that come twice": _es(
        ROWS + row("a", "Good night"),
        ids=("a", "b", "a"),
        errors=[(3, "custom_id: an earlier record has the id 'a' too")],
    ),
    "lines that are no objects": _es(
        b'[]\n"a"\n5\nnull\n' + row("a"),
        ids=("1", "2", "3", "4", "a"),
        errors=[(number, NO_OBJECT) for number in (1, 2, 3, 4)],
    ),
    "elements that are no objects": _es(
        b'[1, {"custom_id":"a","text":"Hi"}, [[]]]',
        name="in.json",
        ids=("1", "a", "3"),
        errors=[(1, NO_OBJECT), (3, NO_OBJECT)],
    ),
    "a line that is no JSON, after CRLF and U+2028": _es(
        BOM + '{"custom_id":"a","text":"one\u2028two"}\r\n\r\n{"text": no}\r\n'.encode() + row("b"),
        ids=("a", "2", "b"),
        errors=[(2, "The line is not valid JSON: expected ident at line 1 column 11")],
    ),
    "a line in Latin-1": _es(
        row("a") + '{"custom_id":"ü","text":"Größe"}\n'.encode("latin-1"),
        ids=("a", "2"),
        errors=[(2, "The line is not valid JSON: invalid unicode code point at line 1 column 15")],
    ),
    "a line that is nested too deeply": _es(
        row("a") + b'{"text":"Hi","more":' + b"[" * 195 + b"]" * 195 + b"}\n",
        ids=("a", "2"),
        errors=[(2, "The line is nested too deeply")],
    ),
    "a line that is too large": _es(
        row("a") + row("b", "x" * MIB) + row("c"),
        ids=("a", "2", "c"),
        errors=[(2, "The item is larger than 1,048,576 bytes and was not read")],
    ),
    "rows without a text": _es(
        b'{"custom_id":"a"}\n{"custom_id":"b","text":" "}\n{"custom_id":"c","text":7}\n' + row("d", "\0"),
        ids=("a", "b", "c", "d"),
        errors=[
            (1, "text is required: the text"),
            (2, "text is empty"),
            (3, "text must be a string"),
            (4, "text: NUL characters are not allowed"),
        ],
    ),
    "ids that are none": _es(
        b'{"custom_id":"","text":"Hi"}\n{"custom_id":true,"text":"Hi"}\n' + row("x" * 257),
        ids=("1", "2", "3"),
        errors=[(number, "custom_id must be a number or a string of 1 to 256 letters") for number in (1, 2, 3)],
    ),
}

READ = {**GOOD_AFTER_ALL, **BAD_LINES}
