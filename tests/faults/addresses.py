"""Addresses that refuse, certificates that should be refused, and what a process still holds."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import trustme

UNRESOLVABLE = "http://nope.invalid"


@contextlib.contextmanager
def refusing_url() -> Generator[str]:
    """Hold a port that nobody listens on, so that nobody else gets it either."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


@dataclass(frozen=True)
class Certificates:
    """Server contexts of each kind, and the client's context that trusts the one authority."""

    client: ssl.SSLContext
    right: ssl.SSLContext
    wrong_name: ssl.SSLContext
    expired: ssl.SSLContext
    self_signed: ssl.SSLContext


def make_certificates() -> Certificates:
    """Make an authority and a server certificate of each kind (slow: share it)."""
    authority, stranger = trustme.CA(), trustme.CA()
    past = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    client = ssl.create_default_context()
    trust(authority, client)
    return Certificates(
        client=client,
        right=_server(authority.issue_cert("127.0.0.1", "localhost", "api.linq.test")),
        wrong_name=_server(authority.issue_cert("example.org")),
        expired=_server(authority.issue_cert("127.0.0.1", not_before=past[0], not_after=past[1])),
        self_signed=_server_of(stranger.private_key_pem, stranger.cert_pem),
    )


def trust(authority: trustme.CA, context: ssl.SSLContext) -> None:
    """Let a context trust an authority. In trustme the method is typed with PyOpenSSL, which is not installed."""
    cast("Any", authority).configure_trust(context)


def present(leaf: trustme.LeafCert, context: ssl.SSLContext) -> None:
    """Let a context present a certificate."""
    cast("Any", leaf).configure_cert(context)


def _server(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    present(leaf, context)
    return context


def _server_of(key: trustme.Blob, certificate: trustme.Blob) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with key.tempfile() as key_path, certificate.tempfile() as certificate_path:
        context.load_cert_chain(certificate_path, key_path)
    return context


def client_sockets(port: int) -> int:
    """Count the sockets that this process holds to a port here, whether or not the other side reads."""
    sockets = [entry for entry in open_files() if " socket:" in entry]
    return sum(_peer_port(int(entry.split()[0])) == port for entry in sockets)


async def sockets_left(port: int) -> int:
    """Count the same, once the loop has had its turns to close what was dropped."""
    for _ in range(100):
        if not client_sockets(port):
            break
        await asyncio.sleep(0)
    return client_sockets(port)


def _peer_port(descriptor: int) -> int | None:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        return copy.getpeername()[1] if copy.family is socket.AF_INET else None
    return None


def open_files() -> set[str]:
    """List what the descriptors of this process point to."""
    found: set[str] = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return found


def other_tasks() -> set[asyncio.Task[object]]:
    """List the tasks of this loop, without the one that asks."""
    return asyncio.all_tasks() - {asyncio.current_task()}
