"""linq_async/bulk/report.py and preview.py: what a run has done, and what it would do."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from linq_async.bulk import (
    BulkInputError,
    Counts,
    Journal,
    Pacing,
    RecipientFile,
    RowResult,
    Slice,
    State,
    Timeline,
    csv_header,
    csv_line,
    preview,
    row_to_dict,
    svg,
)
from linq_async.bulk.rows import EndedRow
from tests.bulk.world import LINE, OTHER_LINE, campaign, number, write_people

NAMES = {"svg": "http://www.w3.org/2000/svg"}


def _row(**values: object) -> RowResult:
    row = RowResult(1, number(0), "7", LINE, "ab12", State.SENT, 1.8e9, 1.8e9 + 1, 1, 45, 7, "pending")
    for name, value in values.items():
        setattr(row, name, value)
    return row


def _read(line: str) -> dict[str, str]:
    (found,) = csv.DictReader((csv_header() + line).splitlines())
    return found


def test_a_row_of_a_report() -> None:
    """A row has names for its state, times in UTC, and empty cells for what is not known."""
    found = _read(csv_line(_row()))
    assert (found["row"], found["recipient"], found["sender"], found["state"]) == ("1", number(0), LINE, "sent")
    assert (found["begun"], found["ended"]) == ("2027-01-15T08:00:00+00:00", "2027-01-15T08:00:01+00:00")
    assert (found["status"], found["error"], found["again"]) == ("", "", "0")
    assert json.loads(json.dumps(row_to_dict(_row())))["message_id"] == 7
    assert row_to_dict(_row(begun=None))["begun"] is None


@pytest.mark.parametrize("text", ["=1+1", "+1-2", "-1", "@a", "+"])
def test_a_text_is_not_a_formula(text: str) -> None:
    """A text that a spreadsheet would run is quoted, and a phone number is not."""
    assert csv_line(_row(row_id=text)).split(",")[2].strip('"') == f"'{text}"
    assert csv_line(_row(row_id=number(5))).split(",")[2] == number(5)


def test_control_characters_are_escaped() -> None:
    """An id from a file, or a status from a server, does not control the terminal, nor break a chart."""
    line = csv_line(_row(row_id="a\x1b]0;b\x07\n=1", delivery_status="\t=1"))
    assert _read(line)["row_id"] == r"a\x1b]0;b\x07\n=1"
    assert _read(line)["delivery_status"] == r"\t=1"
    slices = (Slice(0, State.FAILED, "\x1b\uffff", 1),)
    root = ET.fromstring(svg(Timeline(1.8e9, 6.0, 10, slices), Counts(failed=1), "May\x01"))
    texts = [text.text for text in root.findall("svg:text", NAMES)]
    assert (texts[0], texts[-2]) == (r"May\x01", r"\x1b\uffff")


def test_a_chart() -> None:
    """The chart shows what ended when, and the causes of failures, the most frequent first."""
    slices = (
        Slice(0, State.SENT, "", 30),
        Slice(0, State.FAILED, "BadRequestError 400", 10),
        Slice(9, State.SENT, "", 20),
        Slice(9, State.UNKNOWN, "ConnectionLostError", 5),
        Slice(9, State.FAILED, "BadRequestError 400", 1),
    )
    chart = svg(Timeline(1.8e9, 6.0, 10, slices), Counts(sent=50, failed=11, unknown=5, skipped=2), "May <b>")
    root = ET.fromstring(chart)
    texts = [text.text for text in root.findall("svg:text", NAMES)]
    assert texts[:6] == ["May <b>", "50 sent", "11 failed", "5 unknown", "2 skipped, 0 left", "40 in 6 s"]
    assert texts[6:8] == ["2027-01-15T08:00:00+00:00", "2027-01-15T08:01:00+00:00"]
    assert texts[8:] == ["BadRequestError 400", "11 failed", "ConnectionLostError", "5 unknown"]
    bars = [(bar.get("class"), float(bar.get("height", 0))) for bar in root.findall("svg:rect", NAMES)]
    assert bars[4:9] == [("sent", 135.0), ("failed", 45.0), ("sent", 90.0), ("unknown", 22.5), ("failed", 4.5)]
    assert max(len(line) for line in chart.splitlines()) < 300


def test_a_chart_of_nothing() -> None:
    """A run without results has a chart, too."""
    texts = ET.fromstring(svg(None, Counts(pending=3), "May")).findall("svg:text", NAMES)
    assert [text.text for text in texts] == ["May", "0 sent", "0 failed", "0 unknown", "0 skipped, 3 left"]


@pytest.mark.asyncio
async def test_the_results_over_time(tmp_path: Path) -> None:
    """The journal counts its results in equal stretches of time; every result is in one of them."""
    chance = random.Random(1)
    async with Journal(tmp_path / "run.db") as journal:
        await journal.load(campaign(), RecipientFile(write_people(tmp_path / "people.csv", 200)))
        rows = await journal.next_rows(LINE, 0, 200)
        ends = [1.8e9, 1.8e9 + 100, *[1.8e9 + chance.uniform(0, 100) for _ in range(198)]]
        await journal.write(rows, [])
        await journal.write([], [EndedRow(row, State.SENT, end) for row, end in zip(rows, ends, strict=True)])
        failed = [EndedRow(rows[0], State.FAILED, 1.8e9, status=422, error="UnprocessableEntityError")]
        await journal.write([], failed)
        timeline = await journal.timeline(buckets=20)
    assert timeline is not None
    assert (timeline.start, timeline.buckets) == (1.8e9, 20)
    assert timeline.seconds == pytest.approx(5.0)
    assert timeline.slices[1] == Slice(0, State.FAILED, "UnprocessableEntityError 422", 1)
    assert sum(one.count for one in timeline.slices) == 200
    assert {one.bucket for one in timeline.slices} == set(range(20))


def test_a_dry_run(tmp_path: Path) -> None:
    """A dry run shows the first messages, the lines, the segments and the time, and stores nothing."""
    people = write_people(
        tmp_path / "people.csv", 50, [f"{number(3)},Twin", f"{number(99)},No", f"{number(60)},Zo\u0301e"]
    )
    sending = campaign(senders=[LINE, OTHER_LINE], text="Hi {first_name} " + "a" * 150)
    found = preview(sending, RecipientFile(people), suppressed=[number(99)])
    assert [message.recipient for message in found.first] == [number(0), number(1), number(2)]
    assert found.first[0].text.startswith("Hi Person 0 aaa")
    assert (found.rows, found.duplicates, found.suppressed, found.messages) == (53, 1, 1, 51)
    assert (found.segments, found.unicode) == ({2: 50, 3: 1}, 1)
    assert set(found.per_line) == {LINE, OTHER_LINE}
    assert found.seconds(Pacing(per_line=0.5)) == 2 * max(found.per_line.values())
    assert [path.name for path in tmp_path.iterdir()] == ["people.csv"]


def test_a_dry_run_of_a_bad_file(tmp_path: Path) -> None:
    """A dry run reports the same problems as a load."""
    people = write_people(tmp_path / "people.csv", 1, ["1,Ann"])
    with pytest.raises(BulkInputError, match="line 3, row 2"):
        preview(campaign(), RecipientFile(people))
