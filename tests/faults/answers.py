"""Whole answers: every status, redirects, and bodies that are not what was promised."""

import gzip
import zlib
from collections.abc import Callable
from functools import cache

from tests.support.http_messages import error_body, response
from tests.support.script import Behaviour, Exchange, register

BOMB_BYTES = 1 << 30


def status(code: int, body: bytes | None = None, **headers: str) -> Behaviour:
    """Refuse with this status, by default in the API's own error format; header names have _ for -."""

    async def act(exchange: Exchange) -> None:
        data = error_body(code, "refused", "Refused by script") if body is None else body
        await exchange.send(response(code, data, _dashed(headers)))

    details = [f"{name}: {value}" for name, value in _dashed(headers).items()]
    return Behaviour(", ".join([f"answer {code}", *details]), act)


def cut_status(code: int) -> Behaviour:
    """Answer with this status, and cut its body."""

    async def act(exchange: Exchange) -> None:
        await exchange.send(response(code, b'{"err', {"Content-Length": "500"}))
        exchange.wire.close()

    return Behaviour(f"answer {code}, cut its body", act)


def redirect(code: int, host: str | None = None) -> Behaviour:
    """Point to another path of this server, by the same name or by another one."""

    async def act(exchange: Exchange) -> None:
        base = f"http://{host}:{exchange.server.port}" if host else ""
        await exchange.send(response(code, b"", {"Location": f"{base}/elsewhere"}))

    return Behaviour(f"redirect by {code} to {'another' if host else 'the same'} host", act)


def body_of(name: str, body: bytes | Callable[[], bytes], **headers: str) -> Behaviour:
    """Take the request, then answer 200 with this body; header names have _ for -."""

    async def act(exchange: Exchange) -> None:
        data = body if isinstance(body, bytes) else body()
        await exchange.send(response(200, data, _dashed(headers)))

    return register(Behaviour(name, act, stores=True))


def encoded(name: str, encoding: str, encode: Callable[[bytes], bytes]) -> Behaviour:
    """Take the request, then answer well, the body changed by `encode`."""

    async def act(exchange: Exchange) -> None:
        code, body = exchange.whole
        await exchange.send(response(code, encode(body), {"Content-Encoding": encoding}))

    return register(Behaviour(name, act, stores=True))


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@cache
def gzip_bomb() -> bytes:
    """Build one megabyte of gzip that inflates to a gigabyte of zeros."""
    piece, packer = bytes(1 << 20), zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    times, checksum = BOMB_BYTES // len(piece), 0
    for _ in range(times):
        checksum = zlib.crc32(piece, checksum)
    trailer = checksum.to_bytes(4, "little") + BOMB_BYTES.to_bytes(4, "little")
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + block * times + b"\x03\0" + trailer


def _corrupt(body: bytes) -> bytes:
    packed = bytearray(gzip.compress(body))
    packed[20:24] = bytes(255 - byte for byte in packed[20:24])
    return bytes(packed)


unknown_encoding = encoded("name a Content-Encoding that nobody knows", "martian", bytes)
unasked_encoding = encoded("name a Content-Encoding that was not asked for", "br", bytes)
wrong_encoding = encoded("say gzip, send none", "gzip", bytes)
corrupt_gzip = encoded("send corrupt gzip", "gzip", _corrupt)
truncated_gzip = encoded("send truncated gzip", "gzip", lambda body: gzip.compress(body)[:-20])
good_gzip = encoded("answer well in gzip", "gzip", gzip.compress)
byte_order_mark = encoded("put a UTF-8 BOM before the JSON", "identity", b"\xef\xbb\xbf".__add__)
bomb = body_of("send a gzip bomb", gzip_bomb, Content_Encoding="gzip")
nested_lists = body_of("send 20,000 nested lists", b"[" * 20_000 + b"]" * 20_000)
many_values = body_of("send 200,000 empty objects", b"[" + b"{}," * 199_999 + b"{}]")
not_a_number = body_of("send NaN", b'{"data": {"id": NaN}}')
empty_body = body_of("answer 200 with an empty body", b"")
html_page = body_of("answer 200 with HTML", b"<html><body>Hello</body></html>", Content_Type="text/html")
json_list = body_of("answer 200 with a list", b"[1, 2]")
json_string = body_of("answer 200 with a string", b'"sent"')
json_null = body_of("answer 200 with null", b"null")
json_number = body_of("answer 200 with a number", b"42")
not_json = body_of("answer 200 with broken JSON", b'{"data": {"id": 4')
not_utf8 = body_of("answer 200 with invalid UTF-8", b'{"data": "\xff\xfe"}')
