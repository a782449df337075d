"""Faults of the connection: behaviours that give no whole answer, or spoil the connection after it."""

import asyncio
import json
import socket
from dataclasses import replace

from tests.support.http_messages import chunk, created_chat, error_body, response
from tests.support.script import PAUSE_SECONDS, At, Behaviour, Exchange, behaviour, good, register

JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}
BANNER = b"SSH-2.0-OpenSSH_9.6\r\n"


def chunked_head(code: int) -> bytes:
    """Build the head of a response whose body comes in chunks."""
    return response(code, None, JSON_TYPE | {"Transfer-Encoding": "chunked"})


# Before a request is read


@behaviour(at=At.ACCEPT)
async def close_on_accept(exchange: Exchange) -> None:
    """Close on accept."""
    exchange.wire.close()


@behaviour(at=At.ACCEPT)
async def reset_on_accept(exchange: Exchange) -> None:
    """Reset on accept."""
    exchange.wire.reset()


@behaviour(at=At.ACCEPT)
async def silence(exchange: Exchange) -> None:
    """Accept and stay silent (behind https: a handshake that stalls)."""
    await exchange.wire.gone()


@behaviour(at=At.ACCEPT)
async def banner_on_accept(exchange: Exchange) -> None:
    """Greet with an SSH banner on accept."""
    await exchange.send(BANNER)
    await exchange.wire.gone()


@behaviour(at=At.ACCEPT)
async def plain_text(exchange: Exchange) -> None:
    """Send plain text in place of a TLS handshake."""
    await exchange.wire.fill()
    await exchange.send(response(400, b"The plain HTTP request was sent to HTTPS port"))
    exchange.wire.finish()
    await exchange.wire.gone()


@behaviour(at=At.ACCEPT)
async def close_in_handshake(exchange: Exchange) -> None:
    """Close in the TLS handshake."""
    await exchange.wire.fill()
    exchange.wire.close()


@behaviour(at=At.ACCEPT)
async def reset_in_handshake(exchange: Exchange) -> None:
    """Reset in the TLS handshake."""
    await exchange.wire.fill()
    exchange.wire.reset()


@behaviour(at=At.FIRST_BYTES)
async def reset_mid_headers(exchange: Exchange) -> None:
    """Reset in the middle of the request's headers."""
    exchange.wire.reset()


# While the body is on its way


@behaviour(at=At.MID_BODY)
async def stop_reading(exchange: Exchange) -> None:
    """Stop reading mid-upload."""
    exchange.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    await exchange.server.released.wait()
    exchange.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    await exchange.wire.gone()


@behaviour(at=At.MID_BODY)
async def reset_mid_upload(exchange: Exchange) -> None:
    """Reset mid-upload."""
    exchange.wire.reset()


def early_answer(code: int, *, keep: bool) -> Behaviour:
    """Answer before the body is read; then keep the connection, or end our side of it."""

    async def act(exchange: Exchange) -> None:
        headers = {} if keep else {"Connection": "close"}
        body = error_body(code, "early", "Refused before the body was read")
        await exchange.send(response(code, body, headers))
        if not keep:
            exchange.wire.finish()
            await exchange.wire.gone()
        elif not await exchange.skip_body():
            exchange.wire.close()

    return Behaviour(f"answer {code} before the body is read, {'keep' if keep else 'close'}", act, At.HEAD)


# After the whole request


@behaviour()
async def close_after_request(exchange: Exchange) -> None:
    """Read all, close without an answer."""
    exchange.wire.close()


@behaviour()
async def reset_after_request(exchange: Exchange) -> None:
    """Read all, reset."""
    exchange.wire.reset()


@behaviour()
async def close_for_good(exchange: Exchange) -> None:
    """Read all, close the connection and the port."""
    await exchange.server.stop_listening()
    exchange.wire.close()


@behaviour()
async def no_answer(exchange: Exchange) -> None:
    """Read all, say nothing."""
    await exchange.wire.gone()


@behaviour()
async def not_http(exchange: Exchange) -> None:
    """Answer with something that is not HTTP."""
    await exchange.send(BANNER)
    await exchange.wire.gone()


@behaviour(stores=True)
async def half_status_line(exchange: Exchange) -> None:
    """Send half a status line, close."""
    await exchange.send(b"HTTP/1.1 20")
    exchange.wire.close()


@behaviour(stores=True)
async def half_headers(exchange: Exchange) -> None:
    """Send half the headers, close."""
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/js")
    exchange.wire.close()


@behaviour(stores=True)
async def slow_headers(exchange: Exchange) -> None:
    """Send the headers byte by byte, slowly."""
    await exchange.drip(response(*exchange.whole))


@behaviour(stores=True)
async def slow_body(exchange: Exchange) -> None:
    """Send the body byte by byte, slowly."""
    await exchange.drip(await exchange.send_head())


@behaviour(stores=True)
async def headers_then_silence(exchange: Exchange) -> None:
    """Send status and headers, then nothing."""
    await exchange.send_head()
    await exchange.wire.gone()


@behaviour(stores=True)
async def reset_mid_answer(exchange: Exchange) -> None:
    """Send half the body, reset."""
    body = await exchange.send_head()
    await exchange.send(body[: len(body) // 2])
    await exchange.later()
    exchange.wire.reset()


@behaviour(stores=True)
async def length_too_long(exchange: Exchange) -> None:
    """Announce a Content-Length that is too long, close."""
    await exchange.send(await exchange.send_head(extra=10))
    exchange.wire.close()


@behaviour(stores=True)
async def length_too_short(exchange: Exchange) -> None:
    """Announce a Content-Length that is too short."""
    status, body = exchange.whole
    await exchange.send(response(status, body, {"Content-Length": str(len(body) // 2)}))
    await exchange.wire.gone()


@behaviour(stores=True)
async def length_too_short_later(exchange: Exchange) -> None:
    """Announce a Content-Length that is too short, send the rest later."""
    status, body = exchange.whole
    half = len(body) // 2
    await exchange.send(response(status, body[:half]))
    await exchange.later()
    await exchange.send(body[half:])
    await exchange.wire.gone()


@behaviour(stores=True)
async def last_chunk_missing(exchange: Exchange) -> None:
    """Leave out the last chunk, close."""
    status, body = exchange.whole
    await exchange.send(chunked_head(status) + chunk(body))
    exchange.wire.close()


@behaviour(stores=True)
async def bad_chunk(exchange: Exchange) -> None:
    """Send a bad chunk in one packet with the headers."""
    await exchange.send(chunked_head(exchange.whole[0]) + b"zz\r\nnot a chunk\r\n")
    await exchange.wire.gone()


@behaviour(stores=True)
async def bad_chunk_later(exchange: Exchange) -> None:
    """Send a bad chunk in a later packet, keep the connection."""
    status, body = exchange.whole
    await exchange.send(chunked_head(status) + chunk(body[:10]))
    await exchange.later()
    await exchange.send(b"zz\r\nnot a chunk\r\n")
    await exchange.wire.gone()


@behaviour(stores=True)
async def two_lengths(exchange: Exchange) -> None:
    """Announce two different Content-Lengths."""
    status, body = exchange.whole
    await exchange.send(response(status, None, {"Content-Length": str(len(body)), "content-length": "5"}) + body)
    await exchange.wire.gone()


@behaviour(stores=True)
async def no_content_with_body(exchange: Exchange) -> None:
    """Answer 204 with a body."""
    await exchange.send(response(204, None, {"Content-Length": "2"}) + b"{}")
    await exchange.wire.gone()


@behaviour(stores=True)
async def endless_body(exchange: Exchange) -> None:
    """Send a body that never ends."""
    await exchange.send(chunked_head(200))
    while True:
        await exchange.send(chunk(b" " * 65536))


@behaviour(stores=True)
async def until_close(exchange: Exchange) -> None:
    """Send a body whose end is the end of the connection."""
    status, body = exchange.whole
    await exchange.send(response(status, None, JSON_TYPE | {"Connection": "close"}) + body)
    exchange.wire.close()


slow_work = register(replace(good, name="work slowly, then answer well", pause=PAUSE_SECONDS))


# A good answer, and then something on the connection that was kept (if unsolicited: when `server.cue` is set)


@behaviour(stores=True)
async def junk_when_idle(exchange: Exchange) -> None:
    """Send unsolicited bytes on the idle connection."""
    await exchange.answer()
    await exchange.server.cue.wait()
    await exchange.send(BANNER)


@behaviour(stores=True)
async def answer_when_idle(exchange: Exchange) -> None:
    """Send a whole answer that nobody asked for on the idle connection."""
    await exchange.answer()
    await exchange.server.cue.wait()
    await exchange.send(response(200, json.dumps(created_chat(1, "To somebody else")).encode()))


@behaviour(stores=True)
async def timeout_when_idle(exchange: Exchange) -> None:
    """Send 408 on the idle connection."""
    await exchange.answer()
    await exchange.server.cue.wait()
    await exchange.send(response(408, b""))


@behaviour(stores=True)
async def answer_twice(exchange: Exchange) -> None:
    """Answer twice in one packet."""
    await exchange.send(response(*exchange.whole) * 2)


@behaviour(stores=True)
async def close_when_idle(exchange: Exchange) -> None:
    """Close the idle connection."""
    await exchange.answer()
    await exchange.server.cue.wait()
    exchange.wire.close()


@behaviour(stores=True)
async def idle_close_race(exchange: Exchange) -> None:
    """Close the idle connection exactly when the next request arrives."""
    await exchange.answer()
    if await exchange.meet_next():
        exchange.wire.close()


@behaviour(stores=True)
async def idle_reset_race(exchange: Exchange) -> None:
    """Reset the idle connection exactly when the next request arrives."""
    await exchange.answer()
    if await exchange.meet_next():
        exchange.wire.reset()


def after(event: asyncio.Event, then: Behaviour) -> Behaviour:
    """Read the whole request, wait for the event, then act as `then`."""

    async def act(exchange: Exchange) -> None:
        await event.wait()
        await then.act(exchange)

    return Behaviour(f"{then.name}, late", act, At.BODY, then.stores)
