"""Receivers that do everything but answer: the sandbox records it, repeats, and neither waits nor reads without end."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc

import pytest

from linq_async.sandbox import Sandbox, SandboxDelivery

from .calls import MIRA
from .receivers import raw_receiver, receiving, subscribed

BROKEN = "the connection broke, or the response is not HTTP"


async def delivered_to(sandbox: Sandbox, url: str) -> SandboxDelivery:
    """Deliver a message to a URL, and return the first attempt."""
    await subscribed(sandbox, url)
    await sandbox.receive(from_=MIRA, text="Hi")
    return sandbox.deliveries[0]


@pytest.mark.asyncio
async def test_redirects_are_not_followed(sandbox: Sandbox) -> None:
    """A redirect is a failure, and nothing is sent to its target."""
    async with receiving() as target, receiving(307, 301) as receiver:
        receiver.headers["Location"] = target.url
        delivery = await delivered_to(sandbox, receiver.url)
        sandbox.advance(1)
        await receiver.arrivals(2)
        assert (delivery.status, delivery.delivered, target.received) == (307, False, [])


@pytest.mark.asyncio
async def test_an_endless_answer(sandbox: Sandbox) -> None:
    """The status counts, and the connection is closed instead of reading on."""
    gone = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n")
                await writer.drain()
        finally:
            gone.set()

    async with raw_receiver(answer) as url:
        delivery = await delivered_to(sandbox, url)
        await asyncio.wait_for(gone.wait(), 5)
    assert (delivery.status, sandbox.deliveries.total) == (200, 1)


@pytest.mark.asyncio
async def test_endless_headers(sandbox: Sandbox) -> None:
    """A head that does not end is given up early, and takes little memory."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: " + b"x" * 4_000 + b"\r\n")
            await writer.drain()

    tracemalloc.start()
    async with raw_receiver(answer) as url:
        delivery = await delivered_to(sandbox, url)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (delivery.status, delivery.error) == (None, BROKEN)
    assert peak < 16 << 20


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"220 ready for mail\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
async def test_answers_that_are_not_http(sandbox: Sandbox, answer: bytes) -> None:
    """Whatever is not an answer leaves the status unknown."""

    async def write(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async with raw_receiver(write) as url:
        delivery = await delivered_to(sandbox, url)
    assert (delivery.status, delivery.error, delivery.attempt) == (None, BROKEN, 1)


@pytest.mark.asyncio
async def test_a_compressed_answer_and_a_cookie(sandbox: Sandbox) -> None:
    """An answer is not unpacked, and a cookie not sent back."""

    async def write(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\nSet-Cookie: a=b\r\n\r\nxyz")

    async with raw_receiver(write) as url, receiving() as receiver:
        assert (await delivered_to(sandbox, url)).status == 200
        receiver.headers["Set-Cookie"] = "a=b"
        await subscribed(sandbox, receiver.url)
        await sandbox.receive(from_=MIRA, text="One")
        await sandbox.receive(from_=MIRA, text="Two")
    assert ["Cookie" in one.headers for one in receiver.received] == [False, False]


@pytest.mark.asyncio
async def test_a_slow_receiver(sandbox: Sandbox) -> None:
    """An answer that does not come in time is given up, however steadily its head comes."""
    sandbox._outbox.poster.response_seconds = 0.05

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n\r\n":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)

    async with raw_receiver(drip) as url:
        delivery = await delivered_to(sandbox, url)
    assert (delivery.status, delivery.error) == (None, "no response within 0.05 s")
    assert 0.04 < delivery.seconds < 5


def test_the_documented_time() -> None:
    """A receiver has 10 seconds."""
    assert Sandbox()._outbox.poster.response_seconds == 10


@pytest.mark.asyncio
async def test_a_closed_port(sandbox: Sandbox) -> None:
    """Where nothing listens, the delivery is repeated until something does."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/hook"
    delivery = await delivered_to(sandbox, url)
    assert (delivery.status, delivery.error) == (None, "cannot connect")
    assert sandbox._state.subscriptions[640].delivery_attempts == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/linq",
        "http://10.0.0.1/",
        "http://0.0.0.0:8080/",
        "http://127.0.0.1@hooks.example.com/",
        "http://2130706433/",
        "http://localhost.example.com/",
        "http://[::ffff:10.0.0.1]/",
    ],
)
async def test_other_machines(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Nothing but this machine is connected to, the attempt is not repeated, and the log says why."""
    connected: list[object] = []

    def connect(*target: object, **_: object) -> None:
        connected.append(target)

    for name in ("getaddrinfo", "sock_connect"):
        monkeypatch.setattr(asyncio.get_running_loop(), name, connect)
    delivery = await delivered_to(sandbox, url)
    await sandbox.delivered()
    assert (delivery.status, delivery.error, connected) == (None, "the host is not allowed", [])


@pytest.mark.asyncio
@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/", "http://127.0.0.1\\@hooks.example.com/"])
async def test_urls_that_are_not_valid(sandbox: Sandbox, url: str) -> None:
    """A URL that the API accepts and nothing can request is recorded once."""
    delivery = await delivered_to(sandbox, url)
    await sandbox.delivered()
    assert (delivery.status, delivery.error) == (None, "the URL is not valid")


@pytest.mark.asyncio
async def test_allowed_hosts() -> None:
    """`webhook_hosts` admits further names and addresses; a name that cannot be one is refused."""
    async with Sandbox(webhook_hosts=["0.0.0.0"]) as sandbox, receiving() as receiver:
        delivery = await delivered_to(sandbox, receiver.url.replace("127.0.0.1", "0.0.0.0"))
        assert delivery.status == 200
    for hosts in ("hooks.example.com", ["http://hooks.example.com"]):
        with pytest.raises(ValueError, match="webhook_hosts must be"):
            Sandbox(webhook_hosts=hosts)


@pytest.mark.asyncio
@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
async def test_loopback_by_other_names(sandbox: Sandbox, host: str) -> None:
    """`localhost` and all loopback addresses are this machine."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    delivery = await delivered_to(sandbox, f"http://{host}:{port}/")
    assert delivery.error == "cannot connect"
