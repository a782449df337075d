"""Servers that are killed with SIGKILL and started again, and a sender that delivers events to them as Linq does."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import aiohttp

from .samples import signed

PATIENCE = 60.0


class Mortal:
    """A server process, ``python -m MODULE SOCKET ARGUMENTS``, that prints a line once it serves.

    It inherits the listening socket: the connections that are made while it is dead wait for its successor.
    """

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._module = module
        self._arguments = arguments
        self._environment = {**os.environ, **(environment or {})}
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1_000)
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/linq/webhooks"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()
        self._socket.close()

    async def start(self) -> None:
        """Start the process, and wait until it serves."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", self._module, str(self._socket.fileno()), *self._arguments),
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            pass_fds=[self._socket.fileno()],
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert await self._process.stdout.readline(), "it ended before it served"

    async def kill(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()

    async def kill_often(self, times: int, seconds: Callable[[], float]) -> None:
        """Start the process and kill it, each time after so many seconds of service."""
        for _ in range(times):
            await self.start()
            assert self._process is not None
            await asyncio.sleep(seconds())
            assert self._process.returncode is None, "it ended by itself"
            await self.kill()

    async def stop(self) -> int:
        """Ask the process to end, and return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode


class Sender:
    """Delivers each event until the response is 200, and some of them again after that."""

    def __init__(self, url: str, chance: random.Random) -> None:
        self._url = url
        self._chance = chance
        self.deliveries = 0
        self.acknowledged: list[str] = []
        """The ids of the events in the order of their responses."""
        self.failures: list[str] = []
        """What became of the deliveries that have failed: a status, or the class of an error."""

    async def send(self, session: aiohttp.ClientSession, event_id: str, body: bytes) -> None:
        """Deliver an event."""
        while not await self._delivered(session, body):  # noqa: ASYNC110  # the server sets no event
            await asyncio.sleep(self._chance.uniform(0.0, 0.02))
        self.acknowledged.append(event_id)
        if self._chance.random() < 0.1:
            await self._delivered(session, body)

    async def _delivered(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        self.deliveries += 1
        try:
            async with session.post(self._url, data=body, headers=signed(body)) as response:
                status = response.status
        except aiohttp.ClientError as error:
            self.failures.append(type(error).__name__)
            return False
        if status != 200:
            self.failures.append(str(status))
        return status == 200
