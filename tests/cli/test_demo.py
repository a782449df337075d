"""Tests of ``linq-async demo``: it passes only if each message is stored exactly once."""

from __future__ import annotations

import struct
import zlib

import attrs
import pytest

from linq_async.cli import demo
from linq_async.models.outgoing import NewChat
from linq_async.sandbox import Sandbox
from linq_async.uploads import Upload

from .conftest import Run

CREATED = {"data": {"id": 1, "chat_messages": {"id": 2}}}


def test_each_message_is_stored_once(run: Run) -> None:
    """The demo exits with 0 and shows the attempts of all three sends; the third takes four."""
    result = run("demo")
    assert result.exit_code == 0, result.output
    for shown in (
        "503 · 503 · lost · 200",
        "msg-2024_01-23_abc123",
        "demo-image-and-pdf",
        "demo-four-attempts",
        "3 messages, each stored exactly once.",
    ):
        assert shown in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("columns", [60, *[pytest.param(columns, marks=pytest.mark.slow) for columns in (40, 80, 120)]])
def test_fits_the_terminal(run: Run, columns: int) -> None:
    """A narrow terminal cuts off no word, and no line is wider than the terminal."""
    shown = run("demo", env={"COLUMNS": str(columns)}).stdout
    assert "503 · 503 · lost · 200" in shown
    assert "msg-2024_01-23_abc123" in shown
    rows = shown.partition("3 messages")[0].splitlines()
    assert all(len(row.rstrip()) <= max(columns, 42) for row in rows)


def test_needs_no_environment(run: Run) -> None:
    """The demo ignores the base URL and the token in the environment."""
    env = {"LINQ_BASE_URL": "http://127.0.0.1:1", "LINQ_INTEGRATION_TOKEN": "none at all"}
    assert run("demo", env=env).exit_code == 0


def _refuse(sandbox: Sandbox) -> None:
    sandbox.faults.answer(400)


def _answer_without_storing(sandbox: Sandbox) -> None:
    sandbox.faults.answer(200, json=CREATED)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"script_faults": _refuse}, "BadRequestError"),
        ({"script_faults": _answer_without_storing}, "stored 0 times"),
        ({"text": "Hello! This is a sample message from Linq API v2."}, "stored 2 times"),
    ],
)
def test_fails_unless_a_message_is_stored_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], problem: str
) -> None:
    """The demo exits with 1 and names the problem if a message was lost, rejected or stored twice."""
    first, second, third = demo.steps()
    steps = (first, second, attrs.evolve(third, **change))  # type: ignore[arg-type]
    monkeypatch.setattr(demo, "steps", lambda: steps)
    result = run("demo")
    assert result.exit_code == 1
    assert problem in result.stderr
    assert "exactly once" not in result.stdout


def test_fails_if_a_file_differs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo exits with 1 if a stored file differs from the step's file."""

    class OtherFiles(demo.Step):
        def new_chat(self) -> NewChat:
            return attrs.evolve(super().new_chat(), attachments=[Upload.from_bytes(b"other", filename="map.png")])

    original = demo.steps()[1]
    step = OtherFiles(title=original.title, text=original.text, key=original.key, files=original.files)
    monkeypatch.setattr(demo, "steps", lambda: (step,))
    result = run("demo")
    assert result.exit_code == 1
    assert "the stored message differs from the one sent" in result.stderr


def test_image_is_a_png() -> None:
    """The image ships with the package: its chunks have the right checksums, and it has all of its pixels."""
    data = demo.sample("map.png")
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size) == (zlib.crc32(kind + content),)
        chunks[kind] = content
        at += size + 12
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert len(zlib.decompress(chunks[b"IDAT"])) == height * (1 + 3 * width)


def test_document_is_a_pdf() -> None:
    """The document ships with the package: its table points at each object, and its last line at the table."""
    data = demo.sample("quote.pdf")
    assert data.startswith(b"%PDF-1.4\n")
    assert data.endswith(b"%%EOF\n")
    start = int(data.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    head, *entries = data[start:].split(b"trailer")[0].splitlines()[1:]
    assert head == b"0 %d" % len(entries)
    for number, entry in enumerate(entries[1:], 1):
        assert len(entry) == 19
        assert data[int(entry[:10]) :].startswith(b"%d 0 obj\n" % number)
