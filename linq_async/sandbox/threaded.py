"""A sandbox that runs on its own thread, so that callers need no event loop, or may use one for each test."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

from .conditions import Conditions
from .keep_file import KeepError
from .records import SandboxChat, SandboxMessage, SandboxSubscription
from .server import Sandbox

T = TypeVar("T")

THREAD_TIMEOUT = 30.0
"""Seconds that a caller waits for the thread."""


class ThreadedSandbox(Sandbox):
    """A `Sandbox` that serves from a thread of its own.

    Use it as `with ThreadedSandbox() as sandbox:`. It takes the settings of `Sandbox`. Everything that `Sandbox` has
    may be used from any thread and inside any event loop. `on_request` is called on the sandbox's thread.
    """

    _thread: Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _stopping: asyncio.Event | None = None
    _failure: KeepError | None = None

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    async def start(self) -> None:
        """Start listening, on a new thread."""
        self._open()

    async def close(self) -> None:
        """Stop at once, abort requests in progress, and delete the uploaded files.

        Raises:
            KeepError: If what is left could not be written to the file `keep`.
        """
        self._stop()

    def reset(self) -> None:
        """Drop all messages, chats, contacts, requests, deliveries and faults; the server keeps running."""
        self._call_on_thread(super().reset)

    @property
    def deliver_after(self) -> float | None:
        """Seconds after which a message is delivered, or None for never."""
        return self._state.delivery_status.after

    @deliver_after.setter
    def deliver_after(self, seconds: float | None) -> None:
        self._call_on_thread(lambda: Sandbox.deliver_after.fset(self, seconds))  # type: ignore[attr-defined]

    @property
    def conditions(self) -> Conditions:
        """What all requests meet. Setting it starts to count requests again."""
        return self._meter.conditions

    @conditions.setter
    def conditions(self, conditions: Conditions) -> None:
        self._call_on_thread(lambda: Sandbox.conditions.fset(self, conditions))  # type: ignore[attr-defined]

    @property
    def messages(self) -> list[SandboxMessage]:
        """Every stored message in order, including deleted ones."""
        return self._call_on_thread(lambda: super(ThreadedSandbox, self).messages)

    @property
    def chats(self) -> list[SandboxChat]:
        """Every chat, in order."""
        return self._call_on_thread(lambda: super(ThreadedSandbox, self).chats)

    @property
    def subscriptions(self) -> list[SandboxSubscription]:
        """Every webhook subscription, in order."""
        return self._call_on_thread(lambda: super(ThreadedSandbox, self).subscriptions)

    def behave(self, number: str, *, delivery: float | str | None = None, service: str | None = None) -> None:
        """Set how messages to a number are delivered, and the service of chats with it; see `Sandbox`."""
        self._call_on_thread(lambda: super(ThreadedSandbox, self).behave(number, delivery=delivery, service=service))

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock forward: messages become delivered, and failed deliveries are repeated."""
        self._call_on_thread(lambda: super(ThreadedSandbox, self).advance(seconds))

    async def delivered(self) -> None:
        """Wait until every event is delivered or given up. What `deliveries` holds is not waited for."""
        await self._await_on_thread(super().delivered())

    async def _act(self, act: Callable[[], T]) -> T:
        return await self._await_on_thread(super()._act(act))

    async def _await_on_thread(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await on the sandbox's thread, while the caller's loop goes on: it may run the receiver of a webhook."""
        loop = self._loop
        if loop is None or loop is _running_loop():
            return await coroutine
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))

    def _open(self) -> None:
        if self._thread is not None:
            raise RuntimeError("the sandbox is already running")
        started: Future[None] = Future()
        self._thread = Thread(target=self._run, args=(started,), name="linq-sandbox", daemon=True)
        self._thread.start()
        try:
            started.result(THREAD_TIMEOUT)
        except BaseException:
            self._stop()
            raise

    def _run(self, started: "Future[None]") -> None:
        # Not the loop of the policy: tests may have set one that is not meant for other threads.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._serve(started))

    async def _serve(self, started: "Future[None]") -> None:
        try:
            await super().start()
        except BaseException as error:  # noqa: BLE001  # raised in the thread that waits
            started.set_exception(error)
            return
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        started.set_result(None)
        await self._stopping.wait()
        self._loop = None
        try:
            await super().close()
        except KeepError as error:  # raised in the thread that closes
            self._failure = error

    def _stop(self) -> None:
        thread, self._thread = self._thread, None
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        if thread is not None:
            thread.join(THREAD_TIMEOUT)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _call_on_thread(self, call: Callable[[], T]) -> T:
        """Call on the sandbox's thread, so that no caller sees a request half done."""
        loop = self._loop
        if loop is None or loop is _running_loop():
            return call()

        async def called() -> T:
            return call()

        return asyncio.run_coroutine_threadsafe(called(), loop).result(THREAD_TIMEOUT)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
