"""What a sandbox accepts and keeps at most."""

import errno
import json
import tempfile
from io import BytesIO
from typing import Any

import aiohttp
import pytest

from linq_async.sandbox import Limits, LoggedRequest, RequestLog, Sandbox, server
from linq_async.sandbox.limits import Budget, StorageFullError

from .calls import CHAT_FIELDS, HEADERS, PREFIX, THEO, Api, Reply, form, head, new_chat, raw

LARGE = 2 << 20
JSON_TYPE = {"Content-Type": "application/json"}
SUBSCRIPTION = {"webhook_url": "https://example.com/hook", "events": ["message.sent"], "version": 2}


async def upload(api: Api, *contents: bytes, key: str = "one") -> Reply:
    """Create a chat with files."""
    files = tuple((f"{n}.bin", "", content) for n, content in enumerate(contents))
    return await api("POST", "/chats", data=form(*CHAT_FIELDS, ("message[idempotency_key]", key), files=files))


def session_on(sandbox: Sandbox) -> aiohttp.ClientSession:
    """Open a session that carries the token."""
    return aiohttp.ClientSession(sandbox.base_url, headers=HEADERS)


@pytest.mark.asyncio
async def test_too_much_text_is_a_413(api: Api, sandbox: Sandbox) -> None:
    """Text over 2 MiB is refused, a little of the rest is read, and text below is taken."""
    most = sandbox.limits.text_bytes
    over = await api("POST", "/chats", data=BytesIO(b" " * (most + 1)), headers=JSON_TYPE)
    far_over = await api("POST", "/chats", data=BytesIO(b" " * (17 << 20)), headers=JSON_TYPE)
    assert (over.status, far_over.status, over.error["code"]) == (413, 413, "payload_too_large")
    assert ("Connection" in over.headers, far_over.headers["Connection"]) == (False, "close")
    assert most < sandbox.requests[1].size < most + (2 << 20)
    body = json.dumps(new_chat(text="x" * (most - 500))).encode()
    assert (await api("POST", "/chats", data=BytesIO(body), headers=JSON_TYPE)).status == 200


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "fields", "contents"),
    [
        ("text_bytes", (("chat[display_name]", "x" * 700), ("message[text]", "y" * 700)), ()),
        ("text_bytes", (("x" * 1300, "y"),), ()),
        ("file_bytes", (), (b"", b"x" * 1001)),
        ("body_bytes", (), (b"x" * 900, b"x" * 900, b"x" * 900)),
    ],
)
async def test_too_much_of_a_form_is_a_413(name: str, fields: Any, contents: tuple[bytes, ...]) -> None:
    """Texts, names, one file and all files together have their limits, and nothing stays of what is refused."""
    limits: dict[str, Any] = {name: {"file_bytes": 1000, "text_bytes": 1200, "body_bytes": 2500}[name]}
    async with Sandbox(limits=Limits(**limits)) as sandbox, session_on(sandbox) as session:
        files = tuple((f"{n}.bin", "", content) for n, content in enumerate(contents))
        reply = await Api(session)("POST", "/chats", data=form(*CHAT_FIELDS, *fields, files=files))
        assert (reply.status, reply.error["code"]) == (413, "payload_too_large")
        assert (sandbox.messages, sandbox._state.storage.memory.used) == ([], 0)
        assert (await upload(Api(session), b"x" * 500)).status == 200


@pytest.mark.asyncio
async def test_a_body_that_is_announced_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Content-Length over the limit is refused before the body comes."""
    monkeypatch.setattr(server, "LINGERING_SECONDS", 0.05)
    length = f"Content-Length: {Limits().body_bytes + 1}"
    async with Sandbox() as sandbox:
        answer = await raw(sandbox, head(f"POST {PREFIX}/chats", "Host: localhost", length), b"x" * (2 << 20))
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert sandbox.requests[0].size < 2 << 20


@pytest.mark.asyncio
async def test_a_body_without_a_length_has_the_same_limit() -> None:
    """A body in chunks, which announces no length, is refused once it is over the limit."""
    part = 'Content-Disposition: form-data; name="a"; filename="a"'
    body = f"--b\r\n{part}\r\n\r\n{'x' * 3000}\r\n--b--\r\n".encode()
    headers = ("Host: localhost", "Transfer-Encoding: chunked", "Content-Type: multipart/form-data; boundary=b")
    async with Sandbox(limits=Limits(body_bytes=2500)) as sandbox:
        chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        answer = await raw(sandbox, head(f"POST {PREFIX}/chats", *headers), chunk)
    assert b" 413 " in answer.split(b"\r\n")[0]


@pytest.mark.asyncio
async def test_a_form_has_a_number_of_parts(api: Api) -> None:
    """Parts are counted, those that carry nothing too."""
    part = b"--b\r\nX: y\r\n\r\nx\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    replies = [await api("POST", "/chats", data=part * count + b"--b--\r\n", headers=headers) for count in (4096, 4097)]
    details = [reply.error["detail"] for reply in replies]
    assert details == ["Missing required parameter: send_from", "too many parts"]


@pytest.mark.asyncio
async def test_a_full_memory_is_a_507() -> None:
    """Once it is full, what would be stored is refused, replays and all else are answered, and reset() helps."""
    async with Sandbox(limits=Limits(memory_bytes=20_000)) as sandbox, session_on(sandbox) as session:
        api = Api(session)
        chat_id, message_id = await api.new_message()
        assert (await api("POST", "/contacts", {"contact": {"first_name": "Mira"}})).status == 201
        subscription = {"webhook_subscription": SUBSCRIPTION}
        assert (await api("POST", "/webhook_subscriptions", subscription)).status == 201
        replies = [await api.create_chat(f"key-{n}") for n in range(20)]
        assert (replies[0].status, replies[-1].status) == (200, 507)
        assert "Reset or restart" in replies[-1].error["detail"]
        chats = len(sandbox.chats)
        message = f"/chats/{chat_id}/chat_messages"
        refused = [
            await api.create_chat(phone_numbers=[THEO]),
            await api("POST", message, {"message": {"text": "x" * 1000}}),
            await api("POST", f"{message}/{message_id}/edit", {"text": "x" * 9000}),
            await api("POST", "/contacts", {"contact": {"first_name": "x" * 1000}}),
            await api("PUT", "/contacts/7001", {"contact": {"first_name": "x" * 9000}}),
            await api("POST", "/webhook_subscriptions", subscription),
            await api(
                "PUT", "/webhook_subscriptions/640", {"webhook_subscription": {**SUBSCRIPTION, "secret": "x" * 9000}}
            ),
        ]
        assert [reply.status for reply in refused] == [507] * 7
        assert len(sandbox.chats) == chats
        assert sandbox.messages[0].text == "Hello"
        replay = await api.create_chat("key-0")
        assert (replay.status, replay.body) == (200, replies[0].body)
        assert (await api("POST", f"{message}/{message_id}/edit", {"text": "x"})).status == 200
        sandbox.reset()
        assert (await api.create_chat("key-0")).status == 200


@pytest.mark.asyncio
async def test_what_is_deleted_gives_its_room_back() -> None:
    """Contacts and subscriptions that come and go, and texts that are edited, need no more room in the end."""
    async with Sandbox(limits=Limits(memory_bytes=8000)) as sandbox, session_on(sandbox) as session:
        api = Api(session)
        chat_id, message_id = await api.new_message()
        used = sandbox._state.storage.memory.used
        edit = f"/chats/{chat_id}/chat_messages/{message_id}/edit"
        for number in range(10):
            await api("POST", "/contacts", {"contact": {"first_name": "x" * 900}})
            await api("PATCH", f"/contacts/{7001 + number}", {"contact": {"first_name": "y" * 1000}})
            await api("POST", "/webhook_subscriptions", {"webhook_subscription": SUBSCRIPTION})
            await api("PUT", f"/webhook_subscriptions/{640 + number}", {"webhook_subscription": SUBSCRIPTION})
            await api("POST", edit, {"text": "z" * 900})
            await api("DELETE", f"/contacts/{7001 + number}")
            await api("DELETE", f"/webhook_subscriptions/{640 + number}")
            await api("POST", edit, {"text": "Hello"})
        assert {entry.status for entry in sandbox.requests} <= {200, 201, 204}
        assert sandbox._state.storage.memory.used == used


@pytest.mark.asyncio
@pytest.mark.parametrize("limits", [{"disk_bytes": 2 * LARGE}, {"disk_files": 2}])
async def test_full_disks_are_a_507(limits: dict[str, int]) -> None:
    """Large files are kept up to a sum and a number; a replay or a refusal leaves nothing behind."""
    async with Sandbox(limits=Limits(**limits)) as sandbox, session_on(sandbox) as session:
        api = Api(session)
        assert (await upload(api, b"x" * LARGE)).status == 200
        assert [(await upload(api, b"x" * LARGE)).status for _ in range(3)] == [200] * 3
        sandbox.faults.answer(503, times=2)
        assert [(await upload(api, b"x" * LARGE, key="two")).status for _ in range(3)] == [503, 503, 200]
        full = await upload(api, b"x" * LARGE, key="three")
        assert (full.status, full.error["code"]) == (507, "insufficient_storage")
        assert (await upload(api, b"x" * 100, key="four")).status == 200
        storage = sandbox._state.storage
        assert (storage.disk.used, storage.files.used) == (2 * LARGE, 2)
        assert sandbox.messages[1].attachments[0].read() == b"x" * LARGE
        sandbox.reset()
        assert (storage.disk.used, storage.files.used) == (0, 0)
        assert (await upload(api, b"x" * LARGE, key="three")).status == 200


class FullDisk(BytesIO):
    """A file on a disk that is full."""

    def write(self, _: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


class BufferOfFullDisk(BytesIO):
    """A file whose writes are only buffered, on a disk that is full."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.asyncio
@pytest.mark.parametrize("disk", [FullDisk, BufferOfFullDisk])
async def test_a_disk_that_is_really_full_is_a_507(
    api: Api, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, disk: type[BytesIO]
) -> None:
    """A file that the system cannot store is refused in words, and its room is given back."""
    monkeypatch.setattr(tempfile, "TemporaryFile", disk)
    reply = await upload(api, b"x" * LARGE)
    assert (reply.status, reply.error["detail"]) == (507, "The file cannot be stored: No space left on device")
    storage = sandbox._state.storage
    assert (storage.disk.used, storage.files.used, storage.memory.used, sandbox.messages) == (0, 0, 0, [])


@pytest.mark.asyncio
async def test_the_log_keeps_the_latest_requests() -> None:
    """The log drops its oldest requests, counts all, and numbers answers and attempts on."""
    async with Sandbox(limits=Limits(logged_requests=3)) as sandbox, session_on(sandbox) as session:
        replies = [await Api(session).create_chat("one") for _ in range(5)]
        assert [entry.attempt for entry in sandbox.requests] == [3, 4, 5]
        assert (len(sandbox.requests), sandbox.requests.total) == (3, 5)
        assert [entry.request_id for entry in sandbox.requests] == ["sandbox-3", "sandbox-4", "sandbox-5"]
        assert replies[-1].headers["X-Request-Id"] == "sandbox-5"
        assert [entry.attempt for entry in sandbox.requests.by_key()["one"]] == [3, 4, 5]
        sandbox.reset()
        assert (len(sandbox.requests), sandbox.requests.total) == (0, 0)


def entry() -> LoggedRequest:
    """Make an entry."""
    return LoggedRequest(method="GET", path="/", query="", content_type="", request_id="r")


def test_attempts_are_counted_for_the_latest_keys() -> None:
    """Keys that were not used for long are forgotten, and one that is too long is not noted at all."""
    log = RequestLog(limit=2)
    for key in ("old", *(f"key-{n}" for n in range(18)), "old", "new", "newer"):
        log.count_attempt(entry(), key)
    counted = {key: (one := entry(), log.count_attempt(one, key))[0] for key in ("old", "key-0", "key-17", "x" * 1025)}
    assert [one.attempt for one in counted.values()] == [3, 1, 2, 1]
    assert counted["x" * 1025].idempotency_key is None


def test_the_log_may_be_read_while_it_grows() -> None:
    """A reader that iterates over the log sees what was there at the start."""
    log = RequestLog(limit=2)
    log.add(entry())
    log.add(entry())
    seen = 0
    for _ in log:
        log.add(entry())
        seen += 1
    assert (seen, len(log), log.total) == (2, 2, 4)


def test_a_budget_takes_all_or_nothing() -> None:
    """What does not fit is refused whole, to the byte."""
    budget = Budget("bytes", 10)
    budget.take(7)
    with pytest.raises(StorageFullError, match="10 bytes"):
        budget.take(4)
    budget.take(3)
    budget.give_back(1)
    assert budget.used == 9


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "9", None])
@pytest.mark.parametrize("name", ["text_bytes", "file_bytes", "memory_bytes", "disk_files", "logged_requests"])
def test_limits_are_whole_numbers(name: str, limit: Any) -> None:
    """A limit that cannot be is refused by name."""
    with pytest.raises(ValueError, match=f"{name} must be"):
        Limits(**{name: limit})


@pytest.mark.asyncio
async def test_a_chat_that_is_refused_opens_nothing() -> None:
    """A chat with very many people that does not fit is refused before anything of it is stored."""
    people = [f"p{n}@example.org" for n in range(100)]
    async with Sandbox(limits=Limits(memory_bytes=50_000)) as sandbox, session_on(sandbox) as session:
        reply = await Api(session)("POST", "/chats", new_chat(phone_numbers=people))
        assert (reply.status, sandbox.chats) == (507, [])
