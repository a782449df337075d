"""A file that keeps what a sandbox stores: everything is there after a restart, and nothing hostile is believed."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from linq_async.sandbox import KeepError, Limits, Sandbox
from linq_async.sandbox.events import SandboxReset
from linq_async.sandbox.keep_file import APPLICATION_ID
from linq_async.sandbox.threaded import ThreadedSandbox

from .calls import CHAT_FIELDS, HEADERS, LINE, MIRA, THEO, Api, form, new_chat
from .control_calls import controlling
from .receivers import receiving
from .replay import View, view_of

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist yet."""
    return tmp_path / "kept.db"


def read(path: Path) -> bytes | None:
    """Return the bytes of a file, or None if it is none."""
    return path.read_bytes() if path.is_file() else None


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file, by default one that only its owner can read."""
    path.write_bytes(content)
    path.chmod(mode)


def session(sandbox: Sandbox) -> aiohttp.ClientSession:
    """Call the sandbox with its token."""
    return aiohttp.ClientSession(sandbox.base_url, headers=HEADERS)


async def fill(sandbox: Sandbox) -> None:
    """Store something of every kind."""
    async with session(sandbox) as opened, receiving() as receiver:
        api = Api(opened)

        async def done(method: str, path: str, body: object = None, **options: Any) -> Any:
            reply = await api(method, path, body, **options)
            assert reply.status < 300, reply.body
            return json.loads(reply.body or b"null")

        await sandbox.subscribe(receiver.url, secret="s3cret", events=["message.received"])
        chat, message = await api.new_message()
        group: dict[str, Any] = {"phone_numbers": [MIRA, THEO], "text": "Gr\u00fc\u00dfe \U0001f600"}
        await done("POST", "/chats", new_chat("k-1", **group, attachment_urls=["https://example.com/a%20b.pdf"]))
        files = (("a.png", "image/png", b"png"), ("empty.txt", "text/plain", b""), ("big.bin", "", b"x" * (3 << 20)))
        await done("POST", "/chats", data=form(*CHAT_FIELDS, files=files))
        await done("POST", f"/chats/{chat}/chat_messages/{message}/edit", {"text": "Edited"})
        await sandbox.react(message, "love")
        await done("POST", f"/chat_messages/{message}/reactions", {"type": "like", "operation": "add"})
        await sandbox.reply(chat, "Hi", [("cake.jpg", b"jpg")])
        await sandbox.receive(from_="sam@example.com", text="Hello")
        await sandbox.read(chat)
        await done("POST", f"/chats/{chat}/share_contact")
        await done("POST", "/contacts", {"contact": {"first_name": "Mira", "email": "m@example.com"}})
        gone = (await done("POST", "/contacts", {"contact": {"first_name": "Theo"}}))["data"]["id"]
        assert (await api("DELETE", f"/contacts/{gone}")).status == 204
        await done("PUT", "/phone_numbers/11", {"forwarding_number": "+12025550123"})
        await sandbox.unsubscribe(await sandbox.subscribe(receiver.url))
        sandbox.behave(THEO, delivery="paused", service="SMS")


def kept_view(sandbox: Sandbox) -> View:
    """Return what must survive: neither the log nor what people are typing, nor the port in URLs of files."""
    view = view_of(sandbox)
    del view["requests"]
    for chat in view["chats"].values():
        chat["typing"], chat["typing_recipients"] = False, set()
    for message in view["messages"].values():
        message["attachments"] = [
            (one.id, one.filename, one.content_type, one.size, one.file and one.read())
            for one in message["attachments"]
        ]
    return view


@pytest.mark.asyncio
async def test_everything_is_there_again(path: Path) -> None:
    """Chats, messages, reactions, files, contacts, numbers and subscriptions are the same in a later sandbox."""
    async with Sandbox(keep=path) as first:
        await fill(first)
        before, secrets = kept_view(first), [one.secret for one in first.subscriptions]
        assert all(len(rows) > 0 for rows in before.values())
        ids = dict(first._state.next_ids)
    async with Sandbox(keep=path) as second, session(second) as opened:
        assert kept_view(second) == before
        assert [one.secret for one in second.subscriptions] == secrets
        assert second._state.next_ids == ids
        assert second._state.behaviour(THEO).delivery == "paused"
        files = [one for message in second.messages for one in message.attachments if one.file]
        for one in files:
            async with opened.get(one.url) as response:
                assert (response.status, await response.read()) == (200, one.read())
        assert len(files) == 4
        api = Api(opened)
        replayed = await api.create_chat("k-1", phone_numbers=[MIRA, THEO])
        assert replayed.json["data"]["chat_messages"]["text"] == "Gr\u00fc\u00dfe \U0001f600"
        assert second.requests[-1].replayed
        chat = (await api.create_chat("k-2")).json["data"]
        assert chat["id"] == first.chats[0].id
        assert chat["chat_messages"]["id"] == ids["message"]


@pytest.mark.asyncio
async def test_a_message_is_kept_before_its_response(path: Path, tmp_path: Path) -> None:
    """Once a send has its response, the message is in the file, whatever happens to the process then."""
    async with Sandbox(keep=path) as sandbox, session(sandbox) as opened:
        await Api(opened).create_chat("k-1")
        # What a killed process leaves: the file, and the log of SQLite beside it.
        for name in ("kept.db", "kept.db-wal"):
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
            write(tmp_path / f"copy-{name}", read(tmp_path / name) or b"")
    async with Sandbox(keep=tmp_path / "copy-kept.db") as copy:
        assert [message.idempotency_key for message in copy.messages] == ["k-1"]


@pytest.mark.asyncio
async def test_a_control_call_is_kept(path: Path) -> None:
    """What the page does is kept, and the overview says that there is a file."""
    async with Sandbox(keep=path) as sandbox, controlling(sandbox) as control:
        await control.data("POST", "/receive", {"from": MIRA, "text": "Hi"})
        assert (await control.data("GET", "/"))["kept"] is True
        assert sandbox.keep == path
    async with Sandbox(keep=path) as sandbox:
        assert [message.text for message in sandbox.messages] == ["Hi"]


@pytest.mark.asyncio
async def test_the_same_sandbox_again(path: Path) -> None:
    """A sandbox that is closed and started again has its files, too, and readers learn that they must reload."""
    sandbox = Sandbox(keep=path)
    sandbox.behave(MIRA, delivery="pending")
    async with sandbox:
        await fill(sandbox)
        before, number = kept_view(sandbox), sandbox.changes.number
    async with sandbox:
        assert kept_view(sandbox) == before
        assert [type(one.event) for one in sandbox.changes.since(number)] == [SandboxReset]
    async with Sandbox(keep=path) as other:
        assert other._state.behaviour(MIRA).delivery == "pending"


@pytest.mark.asyncio
async def test_a_reset_empties_the_file(path: Path) -> None:
    """After a reset nothing is kept but what is set for numbers, and ids begin again."""
    async with Sandbox(keep=path) as sandbox:
        await fill(sandbox)
        sandbox.reset()
        await sandbox.receive(from_=MIRA, text="Fresh")
    async with Sandbox(keep=path) as sandbox:
        assert [message.text for message in sandbox.messages] == ["Fresh"]
        assert (sandbox.chats[0].id, sandbox.subscriptions, sandbox._state.attachments) == (8101, [], {})
        assert sandbox._state.behaviour(THEO).service == "SMS"
    assert b"Edited" not in (read(path) or b"")


@pytest.mark.asyncio
async def test_the_clock_goes_on(path: Path) -> None:
    """What was delivered because the clock was advanced stays so, and the rest is delivered in time."""
    async with Sandbox(keep=path, deliver_after=60, clock=lambda: NOON) as sandbox:
        await sandbox.receive(from_=MIRA, text="Hi")
        async with session(sandbox) as opened:
            await Api(opened).create_chat("k-1")
            sandbox.advance(60)
            await Api(opened).create_chat("k-2")
    async with Sandbox(keep=path, deliver_after=60, clock=lambda: NOON) as sandbox:
        status = sandbox._state.delivery_status.status
        assert [status(message) for message in sandbox.messages] == ["delivered", "delivered", "pending"]
        sandbox.advance(60)
        assert status(sandbox.messages[-1]) == "delivered"


def test_a_threaded_sandbox(path: Path) -> None:
    """A sandbox on its own thread keeps what it stores, and says what is wrong with its file."""
    with ThreadedSandbox(keep=path) as sandbox:
        sandbox.behave(MIRA, service="RCS")
        sandbox.advance(5)
    with ThreadedSandbox(keep=path) as sandbox:
        assert sandbox._state.behaviour(MIRA).service == "RCS"
        with pytest.raises(KeepError, match="in use"), ThreadedSandbox(keep=path):
            pass
        assert sandbox._clock.advanced == 5


def test_a_threaded_sandbox_that_cannot_write(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If the last changes cannot be written, that is raised in the thread that closes the sandbox."""
    sandbox = ThreadedSandbox(keep=path)
    with sandbox:
        file = sandbox._keeper._file
        assert file is not None
        file._connection.execute("PRAGMA query_only=ON")
        sandbox.advance(5)
        with pytest.raises(KeepError, match="cannot be used"):
            asyncio.run(sandbox.close())
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.asyncio
async def test_one_sandbox_at_a_time(path: Path) -> None:
    """A second sandbox with the same file is refused, the first one goes on, and its port is free again."""
    async with Sandbox(keep=path) as first:
        second = Sandbox(keep=path)
        with pytest.raises(KeepError, match="in use by another sandbox"):
            await second.start()
        with pytest.raises(RuntimeError, match="not running"):
            _ = second.base_url
        await first.receive(from_=MIRA, text="Hi")
    async with second:
        assert len(second.messages) == 1


@pytest.mark.asyncio
async def test_a_file_that_cannot_be_written(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A failed write is logged once, without contents, and made up for later; if it still fails, close() says so."""
    sandbox = Sandbox(keep=path)
    async with sandbox:
        file = sandbox._keeper._file
        assert file is not None
        file._connection.execute("PRAGMA query_only=ON")
        async with session(sandbox) as opened:
            for key in ("k-1", "k-2"):
                assert (await Api(opened).create_chat(key)).status == 200
            assert [record.levelno for record in caplog.records] == [logging.ERROR]
            assert "Hello" not in caplog.text
            file._connection.execute("PRAGMA query_only=OFF")
            await Api(opened).create_chat("k-3")
    async with sandbox:
        assert len(sandbox.messages) == 3
        file = sandbox._keeper._file
        assert file is not None
        file._connection.execute("PRAGMA query_only=ON")
        await sandbox.receive(from_=MIRA, text="Lost")
        with pytest.raises(KeepError, match="cannot be used"):
            await sandbox.close()
    async with Sandbox(keep=path) as later:
        assert len(later.messages) == 3


async def refused(path: Path, **options: Any) -> str:
    """Start a sandbox whose file is refused and left as it was; return why."""
    before = read(path)
    with pytest.raises(KeepError) as caught:
        await Sandbox(keep=path, **options).start()
    assert read(path) == before
    return str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("content", [b"{}", b"x" * 5_000, b"SQLite format 3\0" + b"\xff" * 5_000, b"\0" * 100])
async def test_another_file_is_refused(path: Path, content: bytes) -> None:
    """A file that is no database is refused, and left as it was."""
    write(path, content)
    assert "not a file of the sandbox" in await refused(path) or "damaged" in await refused(path)


@pytest.mark.asyncio
async def test_paths_that_cannot_be(path: Path, tmp_path: Path) -> None:
    """A directory, a pipe, a missing folder and a file that others can read are refused with the reason."""
    assert "not a regular file" in await refused(tmp_path)
    assert "No such file or directory" in await refused(tmp_path / "missing" / "kept.db")
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in await refused(tmp_path / "pipe")
    assert "NUL" in await refused_path(tmp_path / "a\0b")
    write(path, b"", 0o644)
    assert "chmod 600" in await refused(path)


async def refused_path(path: Path) -> str:
    """Start a sandbox with a path that cannot be that of a file; return why it is refused."""
    with pytest.raises(KeepError) as caught:
        await Sandbox(keep=path).start()
    return str(caught.value)


@pytest.mark.asyncio
async def test_a_name_that_sqlite_reserves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is called `:memory:` is a file."""
    monkeypatch.chdir(tmp_path)
    async with Sandbox(keep=":memory:") as sandbox:
        await sandbox.receive(from_=MIRA, text="Hi")
    async with Sandbox(keep=":memory:") as sandbox:
        assert len(sandbox.messages) == 1


@pytest.mark.asyncio
async def test_truncated_files_are_refused(path: Path) -> None:
    """A file that was cut anywhere is refused as damaged, or as another one, and left as it was."""
    async with Sandbox(keep=path) as sandbox:
        await fill(sandbox)
    whole = read(path) or b""
    for size in (1, 2, 99, 100, 1_000, 4_096, 8_192, len(whole) // 2, len(whole) - 4_096, len(whole) - 1):
        write(path, whole[:size])
        assert await refused(path), size
    write(path, whole)
    async with Sandbox(keep=path) as sandbox:
        assert len(sandbox.messages) == 5


Change = Callable[[dict[str, Any]], object]


def without(name: str) -> Change:
    """Remove a member."""
    return lambda row: row.pop(name)


def put(**members: Any) -> Change:
    """Replace members."""
    return lambda row: row.update(members)


MOMENT = "2026-05-01T12:00:00+00:00"
REACTION = {
    "id": 1,
    "message_id": 900001,
    "kind": "love",
    "from_phone": LINE,
    "from_me": True,
    "sent_at": MOMENT,
}
LINKED = {
    "id": "12345678-1234-1234-1234-123456789012",
    "url": "http://example.com/a",
    "filename": "a",
    "content_type": "a/b",
    "size": 0,
    "file": None,
}
WRONG_ROWS: list[tuple[str, Change]] = [
    ("chats", put(id=True)),
    ("chats", put(id=1)),
    ("chats", put(id=-1)),
    ("chats", put(id=1 << 60)),
    ("chats", put(id="8101")),
    ("chats", put(id=8101.0)),
    ("chats", put(file=None)),
    ("chats", put(handles=[])),
    ("chats", put(handles={})),
    ("chats", put(handles=[{"id": 1, "phone_number": "<b>"}])),
    ("chats", put(handles=[{"id": 1}])),
    ("chats", put(send_from="12")),
    ("chats", put(display_name=None)),
    ("chats", put(created_at="yesterday")),
    ("chats", put(created_at="2026-05-01T12:00:00")),
    ("chats", put(created_at="0001-01-01T00:00:00+00:00")),
    ("chats", put(created_at="9999-12-31T23:59:59+00:00")),
    ("chats", without("from_me")),
    ("messages", put(chat_id=7)),
    ("messages", put(recipients=["+12025550177"])),
    ("messages", put(send_from="+12025550177")),
    ("messages", put(text=7)),
    ("messages", put(idempotency_key="a b")),
    ("messages", put(edited_at=5)),
    ("messages", put(unknown=1)),
    ("messages", put(reactions=[])),
    ("messages", put(reactions={LINE: {**REACTION, "message_id": 1}})),
    ("messages", put(reactions={MIRA: REACTION})),
    ("messages", put(reactions={LINE: {**REACTION, "kind": "hate"}})),
    ("messages", put(attachments=[{**LINKED, "id": "../../x"}])),
    ("messages", put(attachments=[{**LINKED, "url": "javascript:x"}])),
    ("messages", put(attachments=[{**LINKED, "content_type": "a\r\nb"}])),
    ("messages", put(attachments=[{**LINKED, "size": 9, "file": True}])),
    ("contacts", put(fields={"admin": "x"})),
    ("contacts", put(fields={"first_name": 7})),
    ("contacts", put(owner=None)),
    ("phone_numbers", put(phone_number="x")),
    ("subscriptions", put(webhook_url="file:///etc/passwd")),
    ("subscriptions", put(events=["x"])),
    ("subscriptions", put(active=1)),
    ("subscriptions", put(version=2.5)),
    ("behaviours", put(delivery="never")),
    ("behaviours", put(delivery=-1)),
    ("behaviours", put(service="Fax")),
    ("behaviours", put(phone_number="x")),
    ("settings", put(next_ids={"chat": "x"})),
    ("settings", put(advanced=1e300)),
    ("settings", put(advanced=None)),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a file with something of every kind."""
    path = tmp_path_factory.mktemp("filled") / "kept.db"

    async def write() -> None:
        async with Sandbox(keep=path) as sandbox:
            await fill(sandbox)

    asyncio.run(write())
    return path.read_bytes()


@pytest.mark.asyncio
@pytest.mark.parametrize(("kind", "change"), WRONG_ROWS)
async def test_wrong_rows_are_refused(path: Path, filled: bytes, kind: str, change: Change) -> None:
    """A row with a value that no sandbox writes is refused, with its kind and without its contents."""
    write(path, filled)
    with sqlite3.connect(path) as db:
        id_, text = db.execute("SELECT id, record FROM records WHERE kind = ? ORDER BY id", (kind,)).fetchone()
        row = json.loads(text)
        change(row)
        db.execute("UPDATE records SET record = ? WHERE kind = ? AND id = ?", (json.dumps(row), kind, id_))
    db.close()
    reason = await refused(path)
    assert "damaged" in reason
    assert not any(secret in reason for secret in ("Hello", "Edited", MIRA, "12025550177", "passwd"))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE records SET record = '[' WHERE kind = 'chats'", "damaged"),
        ("UPDATE records SET record = '" + "[" * 100_000 + "' WHERE kind = 'chats'", "damaged"),
        ("UPDATE records SET record = '[]' WHERE kind = 'chats'", "damaged"),
        ("UPDATE records SET record = '{\"id\": NaN}' WHERE kind = 'chats'", "damaged"),
        ("UPDATE records SET record = '" + "9" * 5_000 + "' WHERE kind = 'chats'", "damaged"),
        ("UPDATE records SET record = x'00ff' WHERE kind = 'chats'", "damaged"),
        ("UPDATE records SET record = CAST(x'ff' AS TEXT) WHERE kind = 'chats'", "damaged"),
        ("UPDATE records SET kind = '__class__' WHERE kind = 'contacts'", "unknown kind"),
        ("UPDATE records SET id = '9' WHERE kind = 'contacts'", "id of another"),
        ("DELETE FROM records WHERE kind = 'chats'", "damaged"),
        ("DELETE FROM files", "damaged"),
        ("UPDATE files SET content = 'text'", "damaged"),
        ("UPDATE files SET content = x'00'", "damaged"),
        ("CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM files; END", "damaged"),
        ("CREATE VIEW v AS SELECT 1", "damaged"),
        ("ALTER TABLE records ADD COLUMN more TEXT", "damaged"),
        ("DROP TABLE files", "damaged"),
        ("PRAGMA user_version = 2", "another version"),
        ("PRAGMA application_id = 7", "another program"),
    ],
)
async def test_changed_files_are_refused(path: Path, filled: bytes, statement: str, reason: str) -> None:
    """Whatever somebody changed in the file, it is refused with the reason."""
    write(path, filled)
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()
    assert reason in await refused(path)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_random_damage_is_refused_or_harmless(path: Path, filled: bytes) -> None:
    """With bytes changed at random, the file is refused as damaged, or the sandbox responds as ever."""
    drawn = random.Random(13)
    refusals = 0
    for _ in range(100):
        damaged = bytearray(filled)
        for _ in range(drawn.choice((1, 3, 20))):
            damaged[drawn.randrange(40_000)] = drawn.randrange(256)
        write(path, bytes(damaged))
        sandbox = Sandbox(keep=path)
        try:
            await sandbox.start()
        except KeepError:
            refusals += 1
            continue
        async with session(sandbox) as opened:
            api = Api(opened)
            for part in ("/chats/8101/chat_messages", "/contacts", "/webhook_subscriptions", "/phone_numbers"):
                assert (await api("GET", part)).status < 500
            assert (await api.create_chat("fresh")).status == 200
        with suppress(KeepError):  # damage where only a write looks
            await sandbox.close()
    assert 5 <= refusals < 100


@pytest.mark.asyncio
async def test_more_than_the_limits_is_refused(path: Path, filled: bytes) -> None:
    """A file with more than the limits allow is refused: by its size, its rows, its uploaded files or one huge row."""
    write(path, filled)
    assert "limits" in await refused(path, limits=Limits(memory_bytes=9_000))
    assert "limits" in await refused(path, limits=Limits(disk_bytes=1 << 20))
    assert "limits" in await refused(path, limits=Limits(memory_bytes=1_000, disk_bytes=1_000))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE records SET record = CAST(zeroblob(5000000) AS TEXT) WHERE kind = 'contacts'")
    db.close()
    assert "damaged" in await refused(path, limits=Limits(text_bytes=1_000))


@pytest.mark.asyncio
async def test_a_database_of_another_program(path: Path) -> None:
    """A database without the mark of a sandbox is refused, and an empty file becomes one."""
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE notes (text)")
    db.close()
    write(path, read(path) or b"")
    assert "another program" in await refused(path)
    write(path, b"")
    async with Sandbox(keep=path):
        pass
    assert int.from_bytes((read(path) or b"")[68:72], "big") == APPLICATION_ID


@pytest.mark.asyncio
async def test_other_numbers_than_before(path: Path) -> None:
    """A later run with other numbers and users has the same chats."""
    async with Sandbox(keep=path) as sandbox:
        await fill(sandbox)
        before = kept_view(sandbox)
    async with Sandbox(keep=path, phone_numbers=["+12025550199"], user_emails=["new@example.com"]) as sandbox:
        after = kept_view(sandbox)
        assert {name: after[name] for name in ("chats", "messages", "contacts")} == {
            name: before[name] for name in ("chats", "messages", "contacts")
        }
        async with session(sandbox) as opened:
            assert (await Api(opened)("GET", f"/chats/{sandbox.chats[0].id}/chat_messages")).status == 200
    assert attrs.asdict(sandbox.chats[0])["send_from"] == LINE
