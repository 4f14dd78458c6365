"""`megallm keys` against a local AWS, in a process of its own each time."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from pydantic_core import from_json

from megallm.keys import Limits, id_of, matches
from megallm.local import aws
from megallm.local.isolation import REGION, local_target
from megallm.local.state import LocalState, StateFolder
from megallm.stores.keys import DynamoKeys
from tests.fakes import KEY, KEY_RECORD
from tests.local.running import Ended, as_json, megallm

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Clone:
    """A folder whose local stack seems to run, and the keys in it."""

    folder: Path
    aws_endpoint_url: str
    keys: DynamoKeys

    def megallm(self, *arguments: str, stdout: IO[str] | None = None) -> Ended:
        """Runs a command inside the folder."""
        return megallm(self.folder, *arguments, stdout=stdout)


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    """One key is there already."""
    local_aws = aws.start()
    resources = local_aws.create_resources(keys_table="keys-here")
    state = StateFolder(tmp_path / ".megallm")
    state.create()
    url = local_aws.endpoint_url  # Stands for the gateway as well: it answers.
    state.save(LocalState(url, KEY, url, REGION, "keys-here", resources.bucket, resources.queues, "tiny", os.getpid()))
    keys = DynamoKeys(local_target(url).dynamodb(), "keys-here")
    keys.put(KEY_RECORD)
    yield Clone(tmp_path, url, keys)
    local_aws.stop()


def test_a_new_key_stands_alone_on_standard_output(clone: Clone) -> None:
    """So that a script can take it; what to know about it goes to the other stream."""
    ended = clone.megallm("keys", "create", "--name", "ci", "--tier", "pro")

    key = ended.stdout.strip()
    record = clone.keys.get(id_of(key) or "")
    assert record is not None
    assert (ended.status, record.name, record.tier, record.expires_at, matches(record, key)) == (
        0,
        "ci",
        "pro",
        None,
        True,
    )
    assert ended.stderr == (f"Key {record.id}, tier pro, expires never. Keep it now: it is not shown again.\n")


def test_a_new_key_is_basic_unless_told_otherwise_and_can_expire(clone: Clone) -> None:
    """The span counts from now."""
    before = int(time.time())

    ended = clone.megallm("keys", "create", "--expires", "30d", "--json")

    shown = as_json(ended.stdout)
    assert isinstance(shown, dict)
    assert list(shown) == ["key", "id", "name", "tier", "status", "created_at", "expires_at", "revoked_at", "limits"]
    assert (shown["tier"], shown["status"], shown["revoked_at"]) == ("basic", "active", None)
    assert before + 30 * 86400 <= shown["expires_at"] <= time.time() + 30 * 86400


def test_a_name_like_markup_can_be_listed(clone: Clone) -> None:
    """In one line, as it was given."""
    clone.megallm("keys", "create", "--name", "[/x]")

    ended = clone.megallm("keys", "list")

    assert (ended.status, ended.stderr) == (0, "")
    assert sorted(re.split(r"\s{2,}", line)[1] for line in ended.stdout.splitlines()[1:]) == ["[/x]", "test"]


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--name", "x" * 257, "a name has at most 256 characters, and this one 257"),
        ("--name", "a\nb", "a name has no control characters or line breaks"),
        ("--name", "\x1b[31m", "a name has no control characters or line breaks"),
        ("--expires", "9999-12-31", "'9999-12-31' is more than ten years away; without --expires a key never ends"),
        ("--expires", "20271231", "'20271231' is neither a span such as 30d or 12h nor a date such as 2027-12-31"),
    ],
)
def test_an_unusable_value_is_refused_before_a_key_is_made(clone: Clone, option: str, value: str, told: str) -> None:
    """With what is wrong about it."""
    ended = clone.megallm("keys", "create", option, value)

    assert (ended.status, ended.stdout) == (2, "")
    assert f"Invalid value for {option}: {told}" in " ".join(ended.stderr.replace("│", " ").split()).replace(
        "'--", "--"
    ).replace("':", ":")
    assert list(clone.keys.list()) == [KEY_RECORD]


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_key_that_cannot_be_written_is_named_with_the_remedy(clone: Clone, form: tuple[str, ...]) -> None:
    """It exists and nobody has it."""
    with Path("/dev/full").open("w") as full:
        ended = clone.megallm("keys", "create", *form, stdout=full)

    (new,) = [record.id for record in clone.keys.list() if record.id != KEY_RECORD.id]
    assert (ended.status, ended.stderr) == (
        1,
        f"megallm: the answer cannot be written: No space left on device. The key {new} is made and nobody has it: "
        f"revoke it with `megallm keys revoke {new}`.\n",
    )


@pytest.mark.parametrize("command", ["show", "revoke", "update"])
@pytest.mark.parametrize("key_id", ["", "x", "abcd/fgh", KEY, "abcdefgh\n"])
def test_what_is_no_id_is_refused_by_its_form(tmp_path: Path, command: str, key_id: str) -> None:
    """Nothing is asked of AWS; and a whole key is not repeated."""
    ended = megallm(tmp_path, "keys", command, key_id)

    assert (ended.status, ended.stdout, KEY in ended.stderr) == (2, "", False)
    assert "an ID is the 8 letters and digits after mega_" in ended.stderr


def test_the_list_never_shows_a_key_or_its_hash(clone: Clone) -> None:
    """Only what tells one from another."""
    as_table, listed = clone.megallm("keys", "list"), clone.megallm("keys", "list", "--json")

    assert re.split(r"\s{2,}", as_table.stdout.splitlines()[1].strip()) == [
        "abcdefgh",
        "test",
        "basic",
        "active",
        "2023-11-14 22:13",
        "never",
    ]
    assert as_json(listed.stdout) == [
        {
            "id": "abcdefgh",
            "name": "test",
            "tier": "basic",
            "status": "active",
            "created_at": 1_700_000_000,
            "expires_at": None,
            "revoked_at": None,
            "limits": None,
        }
    ]


def test_an_enterprise_key_has_its_own_numbers_and_gets_others(clone: Clone) -> None:
    """As they are sold to it."""
    made = clone.megallm(
        "keys", "create", "--tier", "enterprise", "--rpm", "500", "--tpm", "2000000", "--concurrent", "80"
    )
    key_id = id_of(made.stdout.strip()) or ""
    changed = clone.megallm("keys", "update", key_id, "--rpm", "600", "--json")
    shown = clone.megallm("keys", "show", key_id)

    answer = as_json(changed.stdout)
    assert isinstance(answer, dict)
    assert (answer["tier"], answer["limits"]) == (
        "enterprise",
        {"requests_per_minute": 600, "tokens_per_minute": 2_000_000, "concurrent": 80},
    )
    record = clone.keys.get(key_id)
    assert record is not None
    assert record.limits == Limits(600, 2_000_000, 80)
    assert [re.split(r"\s{2,}", line.strip()) for line in shown.stdout.splitlines()][3:6] == [
        ["requests a minute", "600"],
        ["tokens a minute", "2,000,000"],
        ["calls at once", "80"],
    ]


def test_numbers_that_do_not_fit_the_tier_are_one_line(clone: Clone) -> None:
    """And change nothing."""
    created = clone.megallm("keys", "create", "--tier", "enterprise", "--rpm", "5")
    changed = clone.megallm("keys", "update", "abcdefgh", "--rpm", "5")
    nothing = clone.megallm("keys", "update", "abcdefgh")

    assert [(ended.status, ended.stdout, ended.stderr) for ended in (created, changed, nothing)] == [
        (1, "", "megallm: An enterprise key needs numbers of its own: give --tpm, --concurrent too\n"),
        (1, "", "megallm: A basic key has its tier's numbers: only an enterprise key has its own\n"),
        (1, "", "megallm: There is nothing to change: give --tier, --rpm, --tpm or --concurrent\n"),
    ]
    assert list(clone.keys.list()) == [KEY_RECORD]


def test_a_revoked_key_stays_visible_as_revoked(clone: Clone) -> None:
    """Its id may still stand in logs."""
    revoked = clone.megallm("keys", "revoke", "abcdefgh", "--json")
    shown = clone.megallm("keys", "show", "abcdefgh", "--json")

    assert (revoked.status, as_json(revoked.stdout)) == (0, as_json(shown.stdout))
    record = clone.keys.get("abcdefgh")
    assert record is not None
    assert record.revoked_at is not None


def test_an_unknown_id_is_one_line(clone: Clone) -> None:
    """Status 1: the command was right, the id was not."""
    ended = clone.megallm("keys", "show", "nonesuch")

    assert (ended.status, ended.stdout, ended.stderr) == (1, "", "megallm: There is no key with the id nonesuch\n")


def test_a_missing_table_is_one_line_with_what_aws_said(clone: Clone) -> None:
    """The usual reason is a wrong region or an environment that points elsewhere."""
    ended = clone.megallm("keys", "list", "--table", "elsewhere")

    assert (ended.status, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert "ResourceNotFoundException" in ended.stderr


def test_another_stack_is_asked_for_its_own_table(clone: Clone) -> None:
    """Its name is the table's; a table that is named as well counts more."""
    where = ("--stack", "other", "--endpoint-url", clone.aws_endpoint_url, "--region", REGION)
    environ = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    local_target(clone.aws_endpoint_url).dynamodb().create_table(
        TableName="other-keys",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )

    made = megallm(clone.folder, "keys", "create", *where, environ=environ)
    there = megallm(clone.folder, "keys", "list", "--json", *where, environ=environ)
    here = megallm(clone.folder, "keys", "list", "--json", *where, "--table", "keys-here", environ=environ)

    listed = [[record["id"] for record in from_json(ended.stdout)] for ended in (there, here)]
    assert listed == [[id_of(made.stdout.strip())], [KEY_RECORD.id]]


def test_another_endpoint_is_taken_instead_of_the_local_stack(clone: Clone, tmp_path: Path) -> None:
    """With the caller's own credentials: it may be a real account."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environ = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "MEGALLM_KEYS_TABLE": "keys-here"}

    ended = megallm(
        elsewhere,
        *("keys", "list", "--json", "--region", REGION, "--endpoint-url", clone.aws_endpoint_url),
        environ=environ,
    )

    assert (ended.status, [key["id"] for key in _list(ended)]) == (0, ["abcdefgh"])


def test_a_missing_profile_is_one_line(tmp_path: Path) -> None:
    """boto3's own words are clear enough."""
    ended = megallm(tmp_path, "keys", "list", "--profile", "nonesuch")

    assert (ended.status, ended.stdout, ended.stderr) == (
        1,
        "",
        "megallm: The config profile (nonesuch) could not be found\n",
    )


def test_without_a_running_stack_the_remedy_is_named(tmp_path: Path) -> None:
    """A stack that ended by force leaves its state; its port tells the truth."""
    ended = megallm(tmp_path, "keys", "list")

    assert (ended.status, ended.stdout, ended.stderr) == (
        1,
        "",
        "megallm: no local stack is running for this folder. Start it with `make run` (or `megallm dev`), "
        "or name a deployed one with --profile or --region.\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "create", "--tier", "gold"),
        ("keys", "create", "--expires", "soon"),
        ("keys", "create", "--tier", "enterprise", "--rpm", "0", "--tpm", "1", "--concurrent", "1"),
        ("keys", "update", "abcdefgh", "--concurrent", "10001"),
        ("keys", "show"),
        ("nonesuch",),
    ],
)
def test_a_usage_error_is_status_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Scripts tell it from a failure."""
    ended = megallm(tmp_path, *arguments)

    assert (ended.status, ended.stdout, "Traceback" in ended.stderr) == (2, "", False)


def _list(ended: Ended) -> list[dict[str, object]]:
    listed = as_json(ended.stdout)
    assert isinstance(listed, list)
    return listed
