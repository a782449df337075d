"""Tests of what ``linq-async bulk`` shows while it sends, and of output that cannot be written."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from linq_async.bulk import Counts, Loaded, Progress, Stopped, Wait, WaitReason
from linq_async.cli.app import app
from linq_async.cli.bulk_display import JsonDisplay, LineDisplay, LiveDisplay, display_for
from linq_async.cli.bulk_run import ending, exit_code
from linq_async.cli.bulk_texts import duration, local_time, progress_line, wait_line
from linq_async.cli.exit_codes import ExitCode
from linq_async.sandbox import Sandbox
from tests.bulk.world import LINE, write_people

FULL = Path("/dev/full")
NOON = 1_800_000_000.0
COUNTS = Counts(pending=700, begun=20, sent=1_230, failed=4, unknown=1, skipped=45)
WAIT = Wait(LINE, "line_paused", 60.0, NOON)
RUNNING = Progress(COUNTS, 9.876, (WAIT,), 75.0, None)
STOPPED = Stopped("in_a_row", "20 messages in a row failed; the last one: ServerError 500")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59.1, "60 s"), (61, "2 min"), (7_500, "2 h 5 min"), (172_790, "2 days 0 h"), (3e6, "34 days 17 h")],
)
def test_durations(seconds: float, words: str) -> None:
    """A duration has at most two units."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("sender", "reason", "seconds", "words"),
    [
        (None, "rate_limited", 30, "all lines wait until {} (30 s): the server received too many requests"),
        (LINE, "line_paused", 60, "+15175269229 waits until {} (1 min): the server does not pass its messages on"),
        (LINE, "daily_cap", 86_000, "+15175269229 waits until {} (23 h 54 min): its daily cap is reached"),
        (None, "second_pass", 2, "all lines wait until {} (2 s): then messages whose fate is unknown are sent again"),
    ],
)
def test_waits(sender: str | None, reason: WaitReason, seconds: float, words: str) -> None:
    """A wait has its line, its end, with the date if it is not soon, and its reason."""
    until = local_time(NOON, with_date=seconds > 80_000)
    assert len(until) == (19 if seconds > 80_000 else 8)
    assert wait_line(Wait(sender, reason, seconds, NOON)).startswith(words.format(until))


def test_lines_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """There is a line every ten seconds and at each change, all on standard error."""
    display = LineDisplay()
    display.started("may", Loaded(2_000, 40, 5), COUNTS)
    for now in range(12):
        stopped = STOPPED if now > 3 else None
        state = Progress(COUNTS, 9.876, (WAIT,), 75.0 if now < 3 else None, stopped)
        display.update(state, [WAIT] if now == 2 else [], float(now))
    display.close()
    shown = capsys.readouterr()
    share = "1,280 of 2,000 (64%): 4 failed, 1 unknown, 9.9/s"
    assert shown.err.splitlines() == [
        "may: 720 of 2,000 rows to send (duplicates: 40, suppressed: 5)",
        f"{share}, about 2 min left",
        wait_line(WAIT),
        f"Stopping: {STOPPED.message}. Messages under way end first.",
        share,
    ]
    assert shown.out == ""


def test_events(capsys: pytest.CaptureFixture[str]) -> None:
    """Each change is an event, and there is an event ``progress`` each second."""
    display = JsonDisplay()
    for tick in range(12):
        state = Progress(COUNTS, 9.876, (WAIT,), None if tick else 75.0, STOPPED if tick > 3 else None)
        display.update(state, [WAIT] if tick == 2 else [], tick / 5)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["progress", "line_paused", "stopped", "progress", "progress"]
    wait = {"sender": LINE, "reason": "line_paused", "seconds": 60.0, "until": "2027-01-15T08:00:00+00:00"}
    assert events[1] == {"event": "line_paused", **wait}
    assert events[2] == {"event": "stopped", "code": "in_a_row", "message": STOPPED.message}
    assert (events[0]["seconds_left"], events[3]["seconds_left"]) == (75.0, None)
    assert (events[3]["waits"], events[3]["rate"], events[3]["counts"]["sent"]) == ([wait], 9.876, 1_230)


@pytest.mark.parametrize("columns", [60, 100])
def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """The bar, the counts and the waits fit the terminal. NO_COLOR is respected, and the cursor comes back."""
    monkeypatch.setenv("NO_COLOR", "1")
    screen = io.StringIO()
    display = LiveDisplay(Console(file=screen, force_terminal=True, width=columns, legacy_windows=False))
    display.update(RUNNING, [WAIT], 0.0)
    display.update(RUNNING, [], 0.1)
    display.update(Progress(Counts(sent=3), 0.0, (), 0.0, STOPPED), [], 0.2)
    display.update(Progress(Counts(pending=1, unknown=3), 0.0, (), None, STOPPED), [], 0.3)
    display.close()
    text = screen.getvalue()
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= columns
    assert " ".join(wait_line(WAIT).split()[:4]) in text
    assert progress_line(RUNNING) in text
    bars = dict.fromkeys(line for line in lines if line.startswith("━"))
    assert list(bars) == ["━" * 25 + "─" * 15, "━" * 40, "━" * 30 + "─" * 10]
    assert re.findall(r"\x1b\[[0-9;]*3[0-9]m", text) == []
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


@pytest.mark.parametrize(("term", "kind"), [("xterm", LiveDisplay), ("dumb", LineDisplay)])
def test_which_display(monkeypatch: pytest.MonkeyPatch, term: str, kind: type[LineDisplay]) -> None:
    """A bar is drawn on a terminal that can, and nowhere else."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", term)
    assert type(display_for(as_json=False)) is kind
    assert type(display_for(as_json=True)) is JsonDisplay
    monkeypatch.delenv("FORCE_COLOR")
    assert type(display_for(as_json=False)) is LineDisplay


@pytest.mark.parametrize(
    ("counts", "flags", "code"),
    [
        (Counts(sent=5, skipped=2), "", ExitCode.OK),
        (Counts(sent=5, failed=1), "", ExitCode.FAILED),
        (Counts(sent=5, failed=1, unknown=1), "", ExitCode.UNKNOWN),
        (Counts(sent=5, begun=1), "", ExitCode.UNKNOWN),
        (Counts(pending=5), "", ExitCode.FAILED),
        (Counts(pending=5), "limited", ExitCode.OK),
        (Counts(sent=5, unknown=1), "interrupted", ExitCode.INTERRUPTED),
    ],
)
def test_exit_codes(counts: Counts, flags: str, code: ExitCode) -> None:
    """The exit code follows from the counts, unless the run was interrupted."""
    assert exit_code(counts, is_limited=flags == "limited", is_interrupted=flags == "interrupted") is code


def test_keys_of_another_campaign() -> None:
    """If the server had messages under the keys of the run, the last lines say how to name the campaign."""
    lines = ending(Counts(unknown=20), None, Path("run.db"), is_limited=False, already=20)
    assert lines[1:3] == [
        "Rows whose message the server had before this run, under the same keys: 20.",
        "A new campaign needs a new name: --campaign NEW --journal NEW",
    ]


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox) -> list[str]:
    """Return the arguments of a send to ten people."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINQ_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("LINQ_INTEGRATION_TOKEN", sandbox.token)
    write_people(tmp_path / "people.csv")
    return ["bulk", "send", "people.csv", "--from", LINE, "--text", "Hello", "--journal", "run.db", "--rate", "0"]


@pytest.fixture(params=["full", "closed"])
def broken(request: pytest.FixtureRequest) -> Iterator[io.TextIOWrapper]:
    """Yield a stream that takes nothing, because its device is full or its reader is gone."""
    if request.param == "full":
        if not FULL.exists():
            pytest.skip("requires /dev/full")
        writer = os.open(FULL, os.O_WRONLY)
    else:
        reader, writer = os.pipe()
        os.close(reader)
    stream = open(writer, "w", encoding="utf-8", buffering=1)  # noqa: SIM115  # closed below
    yield stream
    stream.close()


@pytest.mark.parametrize(("more", "sent"), [([], 10), (["--json"], 0)])
def test_standard_output_that_takes_nothing(
    broken: io.TextIOWrapper,
    arguments: list[str],
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
    sent: int,
) -> None:
    """A summary that cannot be shown goes to standard error, with exit code 4. With --json, nothing is sent."""
    errors = io.StringIO()
    is_full = "full" in str(broken.name) or os.path.realpath(f"/proc/self/fd/{broken.fileno()}") == str(FULL)
    monkeypatch.setattr(sys, "stdout", broken)
    monkeypatch.setattr(sys, "stderr", errors)
    with pytest.raises(SystemExit) as caught:
        app([*arguments, *more], prog_name="linq-async")
    assert len(sandbox.messages) == sent
    assert caught.value.code == (4 if sent else 1 if is_full else 141)
    assert ("10 sent" in errors.getvalue()) is (sent > 0)
    assert ("cannot write the output" in errors.getvalue()) is (sent > 0 or is_full)


@pytest.mark.parametrize(("number", "code"), [(errno.EPIPE, 141), (errno.ENOSPC, 1)])
def test_progress_that_cannot_be_written(
    arguments: list[str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    """A run whose progress nobody can see stops, and the journal keeps the rest."""

    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(LineDisplay, "waiting", fail)
    with pytest.raises(SystemExit) as caught:
        app([*arguments, "--daily-cap", "2"], prog_name="linq-async")
    assert (caught.value.code, len(sandbox.messages)) == (code, 2)


def test_a_failure_that_cannot_be_shown(
    broken: io.TextIOWrapper, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure keeps its exit code if neither standard output nor standard error takes it."""
    monkeypatch.setattr(sys, "stdout", broken)
    monkeypatch.setattr(sys, "stderr", broken)
    with pytest.raises(SystemExit) as caught:
        app([*arguments, "--json", "--campaign", " "], prog_name="linq-async")
    assert caught.value.code == 2
