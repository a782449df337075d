"""A reader of live changes that takes nothing costs little memory, however much happens."""

from __future__ import annotations

import subprocess
import sys

import pytest

MESSAGES, LENGTH = 4_000, 16_000
MOST_BYTES = 32 << 20
SCRIPT = """
import asyncio, resource, socket, sys
from linq_async.sandbox import Sandbox

async def main(reads, messages, length):
    async with Sandbox() as sandbox:
        host, port = sandbox.base_url.removeprefix("http://").split(":")
        if reads:
            reader = socket.socket()
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect((host, int(port)))
            path = f"/_sandbox/events?since={sandbox.changes.epoch}-{sandbox.changes.number}"
            reader.sendall(f"GET {path} HTTP/1.1\\r\\nHost: {host}:{port}\\r\\n\\r\\n".encode())
        for number in range(messages):
            await sandbox.receive(from_="+12025550123", text="x" * (length - 10) + f"{number:10}")
            if number % 20 == 0:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.2)
        if reads:
            assert reader.recv(64).startswith(b"HTTP/1.1 200")
            reader.close()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)

asyncio.run(main(sys.argv[1] == "reads", int(sys.argv[2]), int(sys.argv[3])))
"""


def peak(reader: str) -> int:
    """Return the most memory of a process whose sandbox gets 64 MB of messages, with or without a reader."""
    command = [sys.executable, "-c", SCRIPT, reader, str(MESSAGES), str(LENGTH)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux only")
def test_a_reader_that_takes_nothing_costs_under_32_mib() -> None:
    """It costs one event that waits to be written, not everything that happened meanwhile."""
    cost = peak("reads") - peak("none")
    print(f"{cost / 2**20:.1f} MiB")
    assert cost < MOST_BYTES
