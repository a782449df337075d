"""Tests of ``linq-async bulk``: what it sends, what it shows, and its exit codes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from linq_async.bulk import BulkSender, Journal, JournalError, Pacing, engine
from linq_async.cli import bulk, bulk_run
from linq_async.cli.bulk_display import LineDisplay
from linq_async.cli.bulk_failure import UNDER_WAY
from linq_async.client import LinqClient
from linq_async.config import RetryPolicy
from linq_async.sandbox import Sandbox
from tests.bulk.world import LINE, number, select, write_people

from .conftest import Run

TEXT = "Hi {first_name}, we open at nine."


@pytest.fixture(autouse=True)
def _one_attempt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Disable retries and the second pass, so that no test waits. Work in a folder of the test."""

    def client(*arguments: Any, **options: Any) -> LinqClient:
        return LinqClient(*arguments, **options, retry=RetryPolicy.none())

    monkeypatch.setattr(bulk_run, "LinqClient", client)
    monkeypatch.setattr(engine, "ROUNDS", ())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Write a file with ten recipients, and a duplicate."""
    return write_people(tmp_path / "people.csv", 10, [f"{number(3)},Twin"])


def send(*more: str, file: str = "people.csv", text: str = TEXT) -> tuple[str, ...]:
    """Return the arguments of a send without a pace."""
    return ("bulk", "send", file, "--from", LINE, "--text", text, "--journal", "run.db", "--rate", "0", *more)


def texted(sandbox: Sandbox) -> Counter[str]:
    """Return how many messages each number got."""
    return Counter(recipient for message in sandbox.messages for recipient in message.recipients)


ONCE = Counter({number(n): 1 for n in range(10)})


@pytest.mark.usefixtures("people")
def test_sends_and_resumes(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """Each recipient gets one message, also if the command is run again. The journal is for its owner alone."""
    first = run(*send(), env=sandbox_env)
    assert (first.exit_code, first.stdout) == (0, "10 sent, 1 skipped\n")
    assert first.stderr.splitlines()[0] == "people: 10 of 11 rows to send (duplicates: 1)"
    again = run(*send(), env=sandbox_env)
    assert (again.exit_code, again.stdout) == (0, "10 sent, 1 skipped\n")
    assert again.stderr.splitlines()[:2] == [
        "people: 0 of 11 rows to send (duplicates: 1)",
        "The journal has this run already: it goes on with the rest.",
    ]
    assert texted(sandbox) == ONCE
    assert {message.text for message in sandbox.messages} >= {"Hi Person 0, we open at nine."}
    assert stat.S_IMODE(Path("run.db").stat().st_mode) == 0o600


def test_every_column(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """The options name the columns of the text, the id, the file and the URL; a delimiter and an encoding are used."""
    Path("map.txt").write_text("a map")
    header, url = "phone_number;words;order;file;url", "https://example.com/menu.pdf"
    rows = [f"{number(1)};caf\xe9 {order};{order};map.txt;{url}" for order in (7, 8)]
    Path("orders.csv").write_text("\n".join([header, *rows]), encoding="latin-1")
    columns = ("--text-column", "words", "--id-column", "order", "--attach-column", "file", "--url-column", "url")
    result = run(
        *("bulk", "send", "orders.csv", "--journal", "run.db", "--rate", "0", "--campaign", "orders", *columns),
        *("--encoding", "latin-1", "--delimiter", ";", "--concurrency", "2", "--daily-cap", "5"),
        env={**sandbox_env, "LINQ_SEND_FROM": LINE},
    )
    assert (result.exit_code, result.stdout) == (0, "2 sent\n"), result.stderr
    assert sorted(message.text or "" for message in sandbox.messages) == ["caf\xe9 7", "caf\xe9 8"]
    assert {len(message.attachments) for message in sandbox.messages} == {2}
    assert select(Path("run.db"), "SELECT campaign FROM run") == [("orders",)]


@pytest.mark.usefixtures("people")
def test_events_as_json_lines(run: Run, sandbox_env: dict[str, str]) -> None:
    """With --json, standard output has an event in each line, and standard error is empty."""
    result = run(*send("--json"), env=sandbox_env)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code, result.stderr) == (0, "")
    started, *progress, finished = events
    counts = {"pending": 10, "begun": 0, "sent": 0, "failed": 0, "unknown": 0, "skipped": 1}
    loaded = {"campaign": "people", "rows": 11, "duplicates": 1, "suppressed": 0, "resumed": False}
    assert started == {"event": "started", **loaded, "counts": counts}
    assert {event["event"] for event in progress} == {"progress"}
    assert finished.pop("seconds") > 0
    ended = {**counts, "pending": 0, "sent": 10}
    nothing = {"warnings": 0, "already_on_server": 0, "stopped": None}
    assert finished == {"event": "finished", "counts": ended, **nothing, "exit_code": 0}


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (422, 1, "9 sent, 1 failed, 1 skipped\nFailed messages were not sent, for certain."),
        (500, 3, "9 sent, 1 unknown, 1 skipped\nUnknown messages may have been sent."),
        (401, 1, "0 sent, 1 skipped, 10 left\nStopped: the server rejected the token: AuthenticationError 401."),
    ],
)
def test_exit_codes(
    run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], status: int, code: int, words: str
) -> None:
    """The exit code says whether messages failed or are unknown, and the last lines say what to do."""
    sandbox.faults.answer(status)
    result = run(*send("--concurrency", "1"), env=sandbox_env)
    assert result.exit_code == code
    assert result.stdout.startswith(words)


def test_responses_that_do_not_show_the_message(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """Warnings of the client are counted in the last lines, and do not interrupt the progress."""
    lines = ["phone_number,url", *[f"{number(n)},https://example.com/menu.pdf" for n in range(3)]]
    Path("people.csv").write_text("\n".join(lines))
    created: dict[str, Any] = {"id": 45, "chat_messages": {"id": 7, "text": "Hi", "attachments": []}}
    sandbox.faults.answer(200, json={"data": created}, times=2)
    result = run(*send("--url-column", "url", text="Hi"), env=sandbox_env)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == "2 responses do not show the message as it was sent."
    assert "attachments" not in result.stderr


@pytest.mark.usefixtures("people")
def test_a_used_name(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """A test send under the name of an earlier campaign says why it sent nothing."""
    run(*send("--limit", "2"), env=sandbox_env)
    Path("run.db").unlink()
    result = run(*send("--limit", "3", "--json", text="Something else."), env=sandbox_env)
    report = json.loads(result.stdout.splitlines()[-1])
    assert (report["event"], report["already_on_server"], report["exit_code"]) == ("finished", 2, 3)
    assert len(sandbox.messages) == 3


@pytest.mark.usefixtures("people")
def test_retry(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """Failed rows are sent again under new keys, unless the recipient has opted out meanwhile."""
    sandbox.faults.answer(422, times=2)
    assert run(*send("--concurrency", "1"), env=sandbox_env).exit_code == 1
    Path("stop.txt").write_text(f"{number(0)}\n")
    result = run("bulk", "retry", "run.db", "--rate", "0", "--suppress", "stop.txt", env=sandbox_env)
    assert (result.exit_code, result.stdout) == (0, "9 sent, 2 skipped\n")
    assert texted(sandbox) == ONCE - Counter([number(0)])
    rows = select(Path("run.db"), "SELECT again, error FROM row WHERE position IN (1, 2)")
    assert rows == [(1, "suppressed"), (1, None)]


@pytest.mark.usefixtures("people")
def test_limit_and_suppressed(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """--limit starts only so many, with exit code 0, and numbers that must not be texted are skipped."""
    Path("stop.txt").write_text(f"{number(0)}\n")
    result = run(*send("--limit", "3", "--suppress", "stop.txt"), env=sandbox_env)
    assert result.exit_code == 0
    assert result.stdout == "3 sent, 2 skipped, 6 left\nTo send the rest, run the same command again without --limit.\n"
    assert "(duplicates: 1, suppressed: 1)" in result.stderr
    assert texted(sandbox) == Counter([number(1), number(2), number(3)])


@pytest.mark.usefixtures("people")
def test_dry_run(run: Run) -> None:
    """A dry run shows the first messages, the count for each line, the time and the segments. It needs no token."""
    arguments = ("bulk", "send", "people.csv", "--from", LINE, "--text", TEXT + "\x1b\u2603", "--dry-run")
    lines = run(*arguments, "--rate", "0.5", "--limit", "2").stdout.splitlines()
    assert lines[:3] == [
        "10 of 11 rows to send (duplicates: 1)",
        "--limit sends the first 2 of them",
        f"  {LINE}            10",
    ]
    assert lines[3:6] == [
        "at 0.5 a second for each line: about 20 s",
        "as SMS: 10 segments (10 of 1)",
        "  10 are not in GSM-7: 70 characters a segment, not 160",
    ]
    assert lines[6:8] == [f"row 1: {LINE} to {number(0)}", "  Hi Person 0, we open at nine.\\x1b\u2603"]
    assert lines[-1] == "Nothing was sent or stored."
    assert max(map(len, lines)) <= 60
    found = json.loads(run(*arguments, "--json").stdout)
    assert (found["event"], found["messages"], found["per_line"], found["seconds"]) == ("dry_run", 10, {LINE: 10}, 10)
    assert found["first"][0]["recipient"] == number(0)
    assert "as fast as possible" in run(*arguments, "--rate", "0").stdout.splitlines()
    assert not Path("run.db").exists()


def test_bad_input(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """Each problem is a line with its place, up to 20. Nothing is sent or stored, and the exit code is 2."""
    write_people(Path("people.csv"), 2, [f"12{n},Sam" for n in range(25)])
    result = run(*send(), env=sandbox_env)
    assert (result.exit_code, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert lines[0] == "not sent: the file has problems, so nothing was stored or sent"
    assert lines[1].startswith("  line 4, row 3: phone_number is not a valid phone number")
    assert len(lines) == 23
    assert lines[-2:] == ["  and 5 more", "Nothing was sent. Fix the problem and retry."]
    error = json.loads(run(*send("--json"), env=sandbox_env).stdout)["error"]
    assert (error["type"], error["count"], error["exit_code"]) == ("BulkInputError", 25, 2)
    assert [problem["row"] for problem in error["problems"]] == list(range(3, 23))
    assert not sandbox.requests
    assert run("bulk", "status", "run.db").exit_code == 1


@pytest.mark.usefixtures("people")
def test_a_changed_campaign(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """Another text or file is refused with what has changed, and nothing is sent. The pace may change."""
    assert run(*send("--limit", "1"), env=sandbox_env).exit_code == 0
    write_people(Path("people.csv"), 11)
    result = run(*send("--json", text="Bye {first_name}."), env=sandbox_env)
    assert (result.exit_code, len(sandbox.messages)) == (2, 1)
    assert result.stderr.splitlines()[1:] == [
        f"  text: was {TEXT!r}, is now 'Bye {{first_name}}.'",
        "  file: its content has changed",
        "Nothing was sent. For a new campaign: --campaign NEW --journal NEW",
    ]
    error = json.loads(result.stdout)["error"]
    assert [change["name"] for change in error["changes"]] == ["text", "file"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--campaign", " "), "--campaign must be a text of 1 to 200 characters"),
        (("--from", "12"), "--from must be one or more valid phone numbers"),
        (("--text-column", "words"), "--text is required, either for all rows or as a column, but not both"),
        (("--rate", "0.00001"), "--rate must be a number from 0.0001 to 10000"),
        (("--encoding", "klingon"), "--encoding is not known to Python"),
        (("--suppress", "none.txt"), "the file "),
        (("--delimiter", ";;"), "--delimiter must be one character"),
    ],
)
@pytest.mark.usefixtures("people")
def test_options_that_cannot_be_used(run: Run, options: tuple[str, ...], words: str) -> None:
    """An option that cannot be used is named before anything is stored, with exit code 2."""
    result = run(*send(*options, "--json"), env={"LINQ_INTEGRATION_TOKEN": "token"})
    assert result.exit_code == 2
    assert words in result.stderr
    assert words in json.loads(result.stdout)["error"]["message"]
    assert not Path("run.db").exists()


def test_missing_options(run: Run) -> None:
    """All missing options are named at once, also in a single line of JSON."""
    result = run("bulk", "send", "people.csv", "--json")
    words = "--from (or LINQ_SEND_FROM), --text (or --text-column), --journal (or --dry-run)"
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["message"] == f"Missing options: {words}."
    assert result.stdout.count("\n") == 1


def _no_module(_: str) -> None:
    return None


def test_a_missing_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without phonenumbers, the command names the extra, with exit code 2."""
    monkeypatch.setattr(bulk, "find_spec", _no_module)
    result = run(*send(), "--dry-run")
    assert (result.exit_code, "pip install 'linq_async[bulk]'" in result.stderr) == (2, True)


@pytest.mark.usefixtures("people")
def test_a_token_file_that_others_can_read(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """A token file that others can read is used with a warning; without any token, the exit code is 2."""
    Path("token").write_text(sandbox.token)
    Path("token").chmod(0o644)
    result = run(*send("--token-file", "token"), env={"LINQ_BASE_URL": sandbox.base_url})
    assert (result.exit_code, result.stderr.startswith("warning: other users")) == (0, True)
    assert run(*send(), env={"LINQ_BASE_URL": sandbox.base_url}).exit_code == 2


@pytest.fixture
def journal_in_use(people: Path, run: Run, sandbox_env: dict[str, str]) -> Iterator[None]:
    """Hold a journal as a running send does."""
    assert run(*send("--limit", "1"), env=sandbox_env).exit_code == 0
    with closing(sqlite3.connect("run.db")) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.usefixtures("journal_in_use")
def test_a_journal_in_use(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """A second process is refused with one clear line and exit code 1; a status says what it is."""
    result = run(*send(), env=sandbox_env)
    assert (result.exit_code, result.stderr.splitlines()) == (
        1,
        [
            "not sent: the journal is in use by another process",
            "Nothing was sent by this command. Wait until the other one has ended.",
        ],
    )
    status = run("bulk", "status", "run.db")
    assert (status.exit_code, status.stdout) == (0, "in use by a running send\n")
    assert json.loads(run("bulk", "status", "run.db", "--json").stdout) == {"in_use": True}
    assert len(sandbox.messages) == 1


@pytest.mark.usefixtures("people")
def test_status_and_report(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """A status counts, a report has the causes of failures, each row as CSV or JSON, and a chart."""
    sandbox.faults.answer(422, times=2)
    run(*send("--concurrency", "1", "--limit", "9"), env=sandbox_env)
    status = run("bulk", "status", "run.db")
    assert status.stdout.splitlines()[:2] == ["7 sent, 2 failed, 1 skipped, 1 left", "  campaign    people"]
    assert "finished    no" in status.stdout
    found = json.loads(run("bulk", "status", "run.db", "--json").stdout)
    assert (found["in_use"], found["campaign"], found["finished"]) == (False, "people", None)
    assert (found["counts"]["sent"], found["counts"]["failed"]) == (7, 2)
    report = run("bulk", "report", "run.db", "--svg", "run.svg")
    assert report.stdout.splitlines()[-1] == "  failed      2 UnprocessableEntityError 422"
    assert ET.fromstring(Path("run.svg").read_text(encoding="utf-8")).tag.endswith("svg")
    table = run("bulk", "report", "run.db", "--csv").stdout.splitlines()
    assert [line.split(",")[:2] for line in table[:2]] == [["row", "recipient"], ["1", number(0)]]
    assert len(table) == 12
    rows = [json.loads(line) for line in run("bulk", "report", "run.db", "--json").stdout.splitlines()]
    assert [row["state"] for row in rows] == ["failed"] * 2 + ["sent"] * 7 + ["pending", "skipped"]
    run(*send(), env=sandbox_env)
    assert "finished    2" in run("bulk", "report", "run.db").stdout


def test_a_report_of_a_run_that_sent_nothing(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """A run without a result has a report without times."""
    write_people(Path("people.csv"), 1)
    sandbox.faults.answer(401)
    assert run(*send(), env=sandbox_env).exit_code == 1
    assert run("bulk", "report", "run.db").stdout.splitlines()[-1] == "  finished    no"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("status", "none.db"), 2, "does not exist"),
        (("retry", "text.db"), 1, "the file is not a journal"),
        (("report", "empty.db", "--json"), 1, "the journal has no run"),
        (("retry", "empty.db"), 1, "the journal has no run"),
        (("report", "empty.db", "--json", "--csv"), 2, "--csv and --json cannot both be given"),
        (("report", "run.db", "--svg", "none/run.svg"), 2, "--svg cannot be written: No such file"),
        (("report", "run.db", "--svg", "run.db"), 2, "--svg must not be the journal itself"),
    ],
)
@pytest.mark.usefixtures("people")
def test_journals_that_cannot_be_used(
    run: Run, sandbox_env: dict[str, str], arguments: tuple[str, ...], code: int, words: str
) -> None:
    """A journal that cannot be used is reported in a line, and none is created."""
    Path("text.db").write_text("no database\n" * 100)
    Path("empty.db").touch()
    run(*send(), env=sandbox_env)
    result = run("bulk", *arguments, env=sandbox_env)
    assert result.exit_code == code
    assert words in " ".join(result.stderr.split())
    assert not Path("none.db").exists()


@pytest.fixture
def signal_at_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt the command when a line begins to wait."""
    waiting = LineDisplay.waiting

    def interrupt(self: LineDisplay, wait: Any) -> None:
        waiting(self, wait)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(LineDisplay, "waiting", interrupt)


@pytest.mark.usefixtures("people", "signal_at_wait")
def test_interrupted(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """Ctrl-C ends a run that waits: it has shown why and until when, and exits with 130. Another run goes on."""
    result = run(*send("--daily-cap", "2"), env=sandbox_env)
    assert (result.exit_code, len(sandbox.messages)) == (130, 2)
    assert f"{LINE} waits until " in result.stderr
    assert "(24 h 0 min): its daily cap is reached" in result.stderr
    assert "Stopping: interrupted. Messages under way end first. Ctrl-C leaves at once." in result.stderr
    assert result.stdout.splitlines() == [
        "2 sent, 1 skipped, 8 left",
        "Stopped: interrupted.",
        "To send the rest, run the same command again.",
    ]
    assert run(*send(), env=sandbox_env).exit_code == 0
    assert texted(sandbox) == ONCE


def _leave(code: int) -> None:
    raise SystemExit(code)


def test_interrupted_during_the_load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signal during the load leaves at once, because nothing was sent."""
    monkeypatch.setattr(os, "_exit", _leave)
    with pytest.raises(SystemExit, match="130"):
        _bulk_run(tmp_path)._interrupt()
    assert capsys.readouterr().err == "Interrupted: nothing was sent.\n"


def _bulk_run(path: Path) -> bulk_run.BulkRun:
    """Return a run that is not started."""
    never: Any = None
    return bulk_run.BulkRun(
        path=path, token="t", prepare=never, pacing=Pacing(), concurrency=1, limit=None, as_json=False
    )


def test_interrupted_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second signal leaves at once, although messages are under way."""
    monkeypatch.setattr(os, "_exit", _leave)
    sending = _bulk_run(tmp_path)
    sending.sender = BulkSender(LinqClient("token"), Journal(tmp_path / "run.db"))
    sending._interrupt()
    with pytest.raises(SystemExit, match="130"):
        sending._interrupt()
    assert capsys.readouterr().err == "Interrupted: messages under way are in doubt.\n"


def test_interrupted_without_signal_handlers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without handlers of signals, such as on Windows, KeyboardInterrupt ends the run, with exit code 130."""

    def interrupted(main: Any) -> None:
        main.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(bulk_run, "run", interrupted)
    assert _bulk_run(tmp_path).send() == 130


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (JournalError("the journal cannot be used: SQLITE_FULL"), 1, "Nothing was sent. Fix the problem and retry."),
        (RuntimeError("secret"), 3, "Some messages were under way."),
    ],
)
@pytest.mark.parametrize("as_json", [(), ("--json",)])
@pytest.mark.usefixtures("people")
def test_a_run_that_ends_with_an_error(
    run: Run,
    sandbox_env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
    words: str,
    as_json: tuple[str, ...],
) -> None:
    """An error of the journal, or a bug, exits with 3 unless nothing was begun. A bug shows no more than its class."""

    async def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(Journal, "settle", fail)
    result = run(*send(*as_json), env=sandbox_env)
    assert (result.exit_code, words in result.stderr, "secret" in result.output) == (code, True, False)
    if as_json:
        assert json.loads(result.stdout.splitlines()[-1])["error"]["exit_code"] == code


@pytest.mark.usefixtures("people")
def test_a_journal_that_fails_while_messages_are_under_way(
    run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If results cannot be stored, the exit code is 3, and the same command later texts nobody twice."""
    write = Journal.write

    async def fail(self: Journal, begun: Any, ended: Any) -> None:
        if ended:
            raise JournalError("the journal cannot be used: SQLITE_FULL")
        await write(self, begun, ended)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", fail)
        result = run(*send(), env=sandbox_env)
    assert (result.exit_code, result.stderr.splitlines()[-2:]) == (
        3,
        ["stopped: the journal cannot be used: SQLITE_FULL", UNDER_WAY],
    )
    assert run(*send(), env=sandbox_env).exit_code == 0
    assert texted(sandbox) == ONCE
