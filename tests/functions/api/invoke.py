"""Imports the real handler as Lambda does and invokes it: events as JSON lines on stdin, answers into a file.

    python -m tests.functions.api.invoke ANSWERS

Standard output stays the handler's own: its log goes there.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from functions.api.handler import handler

CONTEXT = SimpleNamespace(aws_request_id="77375676-xmpl-4b79-853a-f982474efe18", function_name="megallm-api")

if __name__ == "__main__":
    answers = [handler(json.loads(line), CONTEXT) for line in sys.stdin]
    Path(sys.argv[1]).write_text(json.dumps(answers))
