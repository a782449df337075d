"""The scripted server does on the wire what each behaviour's name says."""

import asyncio
import contextlib
import gzip
import io
import json
import zlib
from collections.abc import Sequence

import aiohttp
import pytest

from tests.support.script import BEHAVIOURS, At, Behaviour, good
from tests.support.scripted_server import ScriptedServer

from . import answers, broken_wire
from .addresses import (
    Certificates,
    client_sockets,
    open_files,
    other_tasks,
)

PATH = "/api/partner/v2/chats"
JSON_BODY = b'{"message": {"text": "Hello", "idempotency_key": "key-1"}}'
PATIENCE = 0.06


def post(body: bytes = JSON_BODY, *, path: str = PATH, announced: int | None = None) -> bytes:
    """Write a POST by hand."""
    size = len(body) if announced is None else announced
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), size, body)


async def listen(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    """Read what comes, and how it ends: "fin", "rst", or "open" when nothing more comes."""
    got = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while piece := await reader.read(65536):
                got += piece
    except TimeoutError:
        return got, "open"
    except ConnectionResetError:
        return got, "rst"
    return got, "fin"


async def converse(server: ScriptedServer, data: bytes) -> tuple[bytes, str]:
    """Send `data` on a new connection; what comes back, and how it ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    got = await listen(reader)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return got


def body_in(answer: bytes) -> bytes:
    """Cut the head off."""
    return answer.split(b"\r\n\r\n", 1)[1]


ON_THE_WIRE = [
    (good, b'"chat_messages": {"id": 900001', "open"),
    (broken_wire.close_on_accept, b"", "fin or rst"),
    (broken_wire.reset_on_accept, b"", "rst"),
    (broken_wire.silence, b"", "open"),
    (broken_wire.banner_on_accept, b"SSH-2.0", "open"),
    (broken_wire.plain_text, b"HTTP/1.1 400 ", "fin"),
    (broken_wire.close_in_handshake, b"", "fin"),
    (broken_wire.reset_in_handshake, b"", "rst"),
    (broken_wire.reset_mid_headers, b"", "rst"),
    (broken_wire.stop_reading, b"", "open"),
    (broken_wire.reset_mid_upload, b"", "rst"),
    (broken_wire.early_answer(503, keep=True), b"HTTP/1.1 503 ", "open"),
    (broken_wire.early_answer(503, keep=False), b"Connection: close", "fin"),
    (broken_wire.close_after_request, b"", "fin"),
    (broken_wire.reset_after_request, b"", "rst"),
    (broken_wire.close_for_good, b"", "fin"),
    (broken_wire.no_answer, b"", "open"),
    (broken_wire.not_http, b"SSH-2.0", "open"),
    (broken_wire.half_status_line, b"HTTP/1.1 20", "fin"),
    (broken_wire.half_headers, b"application/js", "fin"),
    (broken_wire.slow_headers, b"HT", "open"),
    (broken_wire.slow_body, b"\r\n\r\n{", "open"),
    (broken_wire.headers_then_silence, b"\r\n\r\n", "open"),
    (broken_wire.reset_mid_answer, b'\r\n\r\n{"data"', "rst"),
    (broken_wire.length_too_long, b'"attachments": []}}}', "fin"),
    (broken_wire.length_too_short, b'"attachments": []}}}', "open"),
    (broken_wire.length_too_short_later, b'"attachments": []}}}', "open"),
    (broken_wire.last_chunk_missing, b'"attachments": []}}}\r\n', "fin"),
    (broken_wire.bad_chunk, b"chunked\r\n\r\nzz\r\n", "open"),
    (broken_wire.bad_chunk_later, b'{"data": {\r\nzz\r\n', "open"),
    (broken_wire.two_lengths, b"content-length: 5", "open"),
    (broken_wire.no_content_with_body, b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}", "open"),
    (broken_wire.until_close, b'"attachments": []}}}', "fin"),
    (broken_wire.slow_work, b"", "open"),
    (broken_wire.answer_twice, b'"attachments": []}}}HTTP/1.1 200', "open"),
    (answers.unknown_encoding, b"Content-Encoding: martian", "open"),
    (answers.unasked_encoding, b"Content-Encoding: br", "open"),
    (answers.wrong_encoding, b'\r\n\r\n{"data"', "open"),
    (answers.byte_order_mark, b"\xef\xbb\xbf{", "open"),
    (answers.nested_lists, b"[" * 20_000 + b"]" * 20_000, "open"),
    (answers.many_values, b"{}," * 199_999 + b"{}]", "open"),
    (answers.not_a_number, b"NaN", "open"),
    (answers.empty_body, b"Content-Length: 0\r\n\r\n", "open"),
    (answers.html_page, b"Content-Type: text/html", "open"),
    (answers.json_list, b"[1, 2]", "open"),
    (answers.json_string, b'"sent"', "open"),
    (answers.json_null, b"\r\n\r\nnull", "open"),
    (answers.json_number, b"\r\n\r\n42", "open"),
    (answers.not_json, b'{"id": 4', "open"),
    (answers.not_utf8, b"\xff\xfe", "open"),
    (answers.status(429, Retry_After="2"), b"Retry-After: 2\r\n", "open"),
    (answers.status(502, b"<html>"), b"HTTP/1.1 502 Status\r\nContent-Length: 6", "open"),
    (answers.cut_status(503), b'\r\n\r\n{"err', "fin"),
    (answers.redirect(308), b"HTTP/1.1 308 Status\r\nLocation: /elsewhere\r\n", "open"),
    (answers.redirect(307, "localhost"), b"\r\nLocation: http://localhost:", "open"),
]


def names(rows: Sequence[tuple[Behaviour, *tuple[object, ...]]]) -> list[str]:
    """Name parametrised cases by their behaviour."""
    return [row[0].name for row in rows]


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.parametrize(("behaviour", "expected", "ending"), ON_THE_WIRE, ids=names(ON_THE_WIRE))
async def test_on_the_wire(behaviour: Behaviour, expected: bytes, ending: str) -> None:
    """Each behaviour sends what it should, ends as it should, and stores exactly when it says so."""
    async with ScriptedServer([behaviour]) as server:
        got, end = await converse(server, post())
        assert expected in got
        assert end in ending
        assert server.visits == [behaviour]
        assert await server.settled() == 0
        assert len(server.stored) == int(behaviour.stores)


def test_every_behaviour_is_on_trial() -> None:
    """No registered behaviour goes without a test of its own."""
    elsewhere = {
        broken_wire.junk_when_idle,
        broken_wire.answer_when_idle,
        broken_wire.timeout_when_idle,
        broken_wire.close_when_idle,
        broken_wire.idle_close_race,
        broken_wire.idle_reset_race,
        broken_wire.endless_body,
        answers.bomb,
        answers.corrupt_gzip,
        answers.truncated_gzip,
        answers.good_gzip,
    }
    assert set(BEHAVIOURS.values()) <= elsewhere | {row[0] for row in ON_THE_WIRE}


@pytest.mark.asyncio
async def test_log_keeps_the_whole_request() -> None:
    """The log holds method, path, headers, body and key of a request that arrived whole."""
    async with ScriptedServer() as server:
        await converse(server, post())
        (seen,) = server.log
    assert (seen.method, seen.path, seen.body, seen.key) == ("POST", PATH, JSON_BODY, "key-1")
    assert seen.headers == {"host": "x", "content-length": str(len(JSON_BODY))}
    assert (seen.connection, seen.head_complete, seen.body_complete) == (1, True, True)


@pytest.mark.asyncio
async def test_chunked_request() -> None:
    """A chunked body is put together again."""
    head = b"POST %s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" % PATH.encode()
    body = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (10, JSON_BODY[:10], len(JSON_BODY) - 10, JSON_BODY[10:])
    async with ScriptedServer() as server:
        await converse(server, head + body)
        assert server.log[0].body == JSON_BODY
        assert server.stored[0].key == "key-1"


@pytest.mark.asyncio
async def test_multipart_key() -> None:
    """The key is found in a multipart body too."""
    form = aiohttp.FormData({"message[idempotency_key]": "key-2", "message[text]": "Hi"}, quote_fields=False)
    form.add_field("message[attachments][]", b"\0\r\n--x", filename="a.bin")
    async with ScriptedServer() as server, aiohttp.ClientSession() as session:
        await session.post(server.url + PATH, data=form)
    assert (server.stored[0].key, server.stored[0].text) == ("key-2", "Hi")


@pytest.mark.asyncio
async def test_request_that_never_ended() -> None:
    """A request cut in its body is on record as incomplete, and has no effect."""
    async with ScriptedServer() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(post(announced=1000))
        writer.write_eof()
        assert await listen(reader) == (b"", "fin")
        writer.close()
        await writer.wait_closed()
        assert (server.log[0].head_complete, server.log[0].body_complete) == (True, False)
        assert server.stored == []


@pytest.mark.asyncio
async def test_careful_behaviours_leave_bytes_unread() -> None:
    """A reset in the headers or mid-upload happens before the rest is read."""
    for behaviour in (broken_wire.reset_mid_headers, broken_wire.reset_mid_upload):
        async with ScriptedServer([behaviour]) as server:
            await converse(server, post(b" " * 100_000))
            assert server.log[0].body_complete is False
            assert len(server.log[0].body) < 1000
            assert server.log[0].head_complete is (behaviour.at is At.MID_BODY)


@pytest.mark.asyncio
async def test_stop_reading_stalls_the_client() -> None:
    """A client that uploads to a server that stopped reading is stuck, until the server is released."""
    async with ScriptedServer([broken_wire.stop_reading]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(post(bytes(16_000_000)))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await writer.drain()
        server.released.set()
        await writer.drain()
        writer.close()
        assert await listen(reader) == (b"", "fin")


@pytest.mark.asyncio
async def test_one_message_a_key() -> None:
    """A repeated key stores nothing new and is answered with the first message; no key always stores."""
    async with ScriptedServer([broken_wire.close_after_request.storing()]) as server:
        await converse(server, post())
        again, _ = await converse(server, post())
        await converse(server, post(b'{"message": {"text": "x"}}'))
        await converse(server, post(b'{"message": {"text": "x"}}'))
        assert [message.id for message in server.stored] == [900001, 900002, 900003]
        assert b'"id": 900001' in again


@pytest.mark.asyncio
async def test_effects_beside_messages() -> None:
    """Other POSTs and a DELETE take effect and are recorded; a second DELETE is answered 404."""
    path = f"{PATH}/45/stop_typing"
    async with ScriptedServer() as server, aiohttp.ClientSession() as session:
        assert await (await session.post(server.url + path)).json() == {"ok": True}
        assert [(await session.delete(server.url + path)).status for _ in range(2)] == [204, 404]
        assert server.effects == [f"POST {path}", f"DELETE {path}"]


@pytest.mark.asyncio
async def test_keep_alive() -> None:
    """Requests on one connection follow the script, then the default."""
    script = [answers.status(503), good]
    async with (
        ScriptedServer(script, default=answers.status(418)) as server,
        aiohttp.ClientSession() as session,
    ):
        got = [(await session.get(server.url)).status for _ in range(4)]
    assert got == [503, 200, 418, 418]
    assert server.connections == 1


@pytest.mark.asyncio
async def test_gzip_bomb() -> None:
    """The bomb is about a megabyte, and the first of its gigabyte of zeros come out as they should."""
    async with ScriptedServer([answers.bomb]) as server, aiohttp.ClientSession() as session:
        response = await session.post(server.url + PATH, data=JSON_BODY)
        assert int(response.headers["Content-Length"]) < 1_200_000
        assert await response.content.readexactly(1 << 20) == bytes(1 << 20)
        response.close()


@pytest.mark.slow
def test_gzip_bomb_is_well_formed() -> None:
    """The whole bomb inflates to its gigabyte, and its checksum holds."""
    with gzip.GzipFile(fileobj=io.BytesIO(answers.gzip_bomb())) as unpacking:
        assert sum(iter(lambda: len(unpacking.read(1 << 20)), 0)) == answers.BOMB_BYTES


@pytest.mark.asyncio
async def test_good_gzip() -> None:
    """The good gzip gives back the JSON."""
    async with ScriptedServer([answers.good_gzip]) as server:
        got, _ = await converse(server, post())
    assert "data" in json.loads(gzip.decompress(body_in(got)))


@pytest.mark.asyncio
@pytest.mark.parametrize("behaviour", [answers.corrupt_gzip, answers.truncated_gzip])
async def test_bad_gzip(behaviour: Behaviour) -> None:
    """Corrupt and truncated gzip cannot be unpacked."""
    async with ScriptedServer([behaviour]) as server:
        got, _ = await converse(server, post())
    with pytest.raises((zlib.error, EOFError, OSError)):
        gzip.decompress(body_in(got))


@pytest.mark.asyncio
async def test_endless_body_ends_with_the_client() -> None:
    """The endless body goes on while the client reads, and stops when it leaves."""
    async with ScriptedServer([broken_wire.endless_body]) as server, aiohttp.ClientSession() as session:
        response = await session.get(server.url)
        assert len(await response.content.readexactly(3_000_000)) == 3_000_000
        response.close()
        await session.close()
        assert await server.settled() == 0


IDLE = [
    (broken_wire.junk_when_idle, b"SSH-2.0", "open"),
    (broken_wire.answer_when_idle, b"HTTP/1.1 200", "open"),
    (broken_wire.timeout_when_idle, b"HTTP/1.1 408", "open"),
    (broken_wire.close_when_idle, b"", "fin"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("behaviour", "expected", "ending"), IDLE, ids=names(IDLE))
async def test_idle_connection(behaviour: Behaviour, expected: bytes, ending: str) -> None:
    """After a good answer nothing happens until the cue; then junk, or the end, comes unasked."""
    async with ScriptedServer([behaviour]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(post())
        assert (await listen(reader))[1] == "open"
        server.cue.set()
        got, end = await listen(reader)
        writer.close()
        assert got.startswith(expected)
        assert end == ending


RACES = [(broken_wire.idle_close_race, "fin"), (broken_wire.idle_reset_race, "rst")]


@pytest.mark.asyncio
@pytest.mark.parametrize(("behaviour", "ending"), RACES, ids=names(RACES))
async def test_idle_close_races_the_next_request(behaviour: Behaviour, ending: str) -> None:
    """The connection stays open when idle, and ends when a second request arrives, which has no effect."""
    async with ScriptedServer([behaviour]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(post())
        assert (await listen(reader))[1] == "open"
        writer.write(post(b"{}"))
        assert await listen(reader) == (b"", ending)
        writer.close()
        assert len(server.stored) == 1
        assert [seen.head_complete for seen in server.log] == [True, False]


@pytest.mark.asyncio
async def test_late_answer_waits_for_its_event() -> None:
    """A late behaviour acts when its event is set, and not before."""
    event = asyncio.Event()
    async with ScriptedServer([broken_wire.after(event, good)]) as server:
        asking = asyncio.create_task(converse(server, post()))
        await server.arrived(1)
        assert not asking.done()
        event.set()
        assert b"900001" in (await asking)[0]


@pytest.mark.asyncio
async def test_open_connections_are_counted() -> None:
    """A connection counts from its beginning to its end, on either side's account."""
    async with ScriptedServer() as server:
        async with aiohttp.ClientSession() as session:
            await session.get(server.url)
            assert (server.open_connections, client_sockets(server.port)) == (1, 1)
            assert await server.settled(patience=PATIENCE) == 1
        assert await server.settled() == 0
        assert client_sockets(server.port) == 0


@pytest.mark.asyncio
async def test_close_leaves_nothing(certificates: Certificates) -> None:
    """Closing in the midst of every kind of wait leaves no task, socket or descriptor."""
    files, tasks = open_files(), other_tasks()
    waiting = [broken_wire.stop_reading, broken_wire.no_answer, broken_wire.slow_body, broken_wire.silence]
    for tls in (None, certificates.right):
        async with ScriptedServer([*waiting], tls=tls) as server:
            asking = [asyncio.create_task(_ask(server, certificates)) for _ in waiting]
            async with asyncio.timeout(1):
                await server.arrived(len(waiting))
        await asyncio.gather(*asking)
    assert other_tasks() == tasks
    assert open_files() == files


async def _ask(server: ScriptedServer, certificates: Certificates) -> None:
    async with aiohttp.ClientSession() as session:
        with contextlib.suppress(aiohttp.ClientError):
            response = await session.post(server.url, data=b"{}", ssl=certificates.client)
            await response.read()
