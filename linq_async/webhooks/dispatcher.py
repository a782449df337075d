"""The dispatcher: which function handles which event, and the life of a bot."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Generic, Literal, Self, TypeAlias, TypeVar, cast, overload

from linq_async.client import LinqClient
from linq_async.config import is_number
from linq_async.errors import InvalidArgumentError, Problem
from linq_async.timing import Timing
from linq_async.webhooks.context import State
from linq_async.webhooks.events import Event, WebhookEvent, event_key
from linq_async.webhooks.inbox import Accepted, Inbox, NotAcceptedError
from linq_async.webhooks.lanes import Burst, Job
from linq_async.webhooks.memory_inbox import MemoryInbox
from linq_async.webhooks.reply_keys import word_problems
from linq_async.webhooks.routes import ErrorHandler, Handler, Route, Routes, check_handler, check_kinds
from linq_async.webhooks.runner import DispatcherSettings, Runner

A = TypeVar("A", bound=Event)
B = TypeVar("B", bound=Event)
C = TypeVar("C", bound=Event)
E = TypeVar("E", bound=Event)

_Decorator: TypeAlias = Callable[[Handler[E, State]], Handler[E, State]]


class Dispatcher(Generic[State]):
    """Runs a function for each event: once, in order within a chat, and in parallel across chats.

    Register functions with ``on``, then use ``async with dispatcher.running(linq, state)``, and pass events to
    ``accept``. ``WebhookApp`` and the integrations do both.

    Args:
        name: A part of the keys of replies. Two bots that answer the same event need different names, and a bot must
            keep its name.
        inbox: What stores the events. Default: a MemoryInbox, which loses the events that are not handled when the
            process is killed.
        ack: When ``accept`` returns: once the event is in the inbox, or once it is handled. The latter is for platforms
            on which nothing runs after the response.
        max_running: The limit of handlers that run at once.
        max_waiting: The limit of events that wait for one. Beyond it, deliveries are answered with 503.
        attempts: How often a handler runs if it fails. The other events of the chat wait meanwhile.
        drain_seconds: How long handlers may go on when the dispatcher ends.
        timing: The sleep; for tests.

    Raises:
        InvalidArgumentError: If an argument has the wrong type or is out of range.
    """

    def __init__(
        self,
        *,
        name: str = "bot",
        inbox: Inbox | None = None,
        ack: Literal["taken", "handled"] = "taken",
        max_running: int = 100,
        max_waiting: int = 10_000,
        attempts: int = 1,
        drain_seconds: float = 20.0,
        timing: Timing = Timing(),  # noqa: B008  # frozen
    ) -> None:
        counts = {"max_running": max_running, "max_waiting": max_waiting, "attempts": attempts}
        valid = {
            Problem("inbox", "must be a MemoryInbox, a SqliteInbox, or have their methods"): inbox is None
            or isinstance(inbox, Inbox),
            Problem("ack", 'must be "taken" or "handled"'): ack in ("taken", "handled"),
            **{
                Problem(argument, "must be an int of 1 or more"): type(value) is int and value >= 1
                for argument, value in counts.items()
            },
            Problem("drain_seconds", "must be a number of seconds from 0"): is_number(drain_seconds),
            Problem("timing", "must be a Timing"): isinstance(timing, Timing),
        }
        problems = word_problems("name", name) + [problem for problem, holds in valid.items() if not holds]
        if problems:
            raise InvalidArgumentError(problems)
        self._settings = DispatcherSettings(
            name=name,
            inbox=MemoryInbox() if inbox is None else inbox,
            ack=ack,
            max_running=max_running,
            max_waiting=max_waiting,
            attempts=attempts,
            drain_seconds=drain_seconds,
            timing=timing,
        )
        self._routes: Routes[State] = Routes()
        self._runner: Runner[State] | None = None

    def __repr__(self) -> str:
        state = "stopped" if self._runner is None else "running"
        return f"<Dispatcher {self._settings.name!r}, {len(list(self._routes))} handlers, {state}>"

    @overload
    def on(self, kind: type[A], /, *, when: Callable[[A], bool] | None = None) -> _Decorator[A, State]: ...

    @overload
    def on(
        self, kind: type[A], second: type[B], /, *, when: Callable[[A | B], bool] | None = None
    ) -> _Decorator[A | B, State]: ...

    @overload
    def on(
        self, kind: type[A], second: type[B], third: type[C], /, *, when: Callable[[A | B | C], bool] | None = None
    ) -> _Decorator[A | B | C, State]: ...

    def on(self, *kinds: type[Event], when: Callable[[Any], bool] | None = None) -> _Decorator[Any, State]:
        """Register the decorated coroutine function for events of one class, or of up to three.

        It is called with the event and a Context. The first function that matches gets the event, in order of
        registration; if it raises Skip, the next one does. ``Event`` matches every event.

        Args:
            kinds: The classes of the events.
            when: A predicate that decides further. It may be called more than once for an event.

        Raises:
            TypeError: If there is no class, or the function could not be called with an event and a context.
        """
        check_kinds(kinds)

        def register(handler: Handler[Any, State]) -> Handler[Any, State]:
            self._routes.add(Route(kinds, when, handler))
            return handler

        return register

    def on_error(self, handler: ErrorHandler[State]) -> ErrorHandler[State]:
        """Register the decorated coroutine function for failures of handlers.

        It is called with the event, its Context and the exception, after the last attempt. The event has failed
        regardless of what it does. The log contains the exception anyway.

        Raises:
            TypeError: If it could not be called with these, or if there is one already.
        """
        check_handler(handler, "event", "context", "error")
        if self._routes.on_error is not None:
            raise TypeError("the dispatcher has an error handler already")
        self._routes.on_error = handler
        return handler

    def include(self, other: Dispatcher[State]) -> None:
        """Add the handlers of another dispatcher, with those that it gets later. Its settings are not used.

        Raises:
            ValueError: If it includes this one.
        """
        self._routes.include(other._routes)

    def running(self, linq: LinqClient, state: State) -> AbstractAsyncContextManager[Self]:
        """Accept and handle events until the block is left.

        First, the events that the inbox has from an earlier run are started. At the end, no event is accepted any more,
        and the handlers have ``drain_seconds`` to end before they are cancelled. An event that is then not handled runs
        at the next start, or is lost if the inbox is a MemoryInbox: the log has the ids.

        Args:
            linq: The client that handlers send with. It must not be closed before the block is left.
            state: What handlers get as ``context.state``.

        Raises:
            RuntimeError: If the dispatcher is running already.
            InboxError: If the inbox cannot be opened.
        """
        return self._running(linq, state, self._settings)

    @asynccontextmanager
    async def _running(self, linq: LinqClient, state: State, settings: DispatcherSettings) -> AsyncGenerator[Self]:
        if self._runner is not None:
            raise RuntimeError("the dispatcher is already running")
        runner = self._runner = Runner(settings, self._routes, linq, state)
        try:
            async with AsyncExitStack() as stack:
                if isinstance(self._settings.inbox, AbstractAsyncContextManager):
                    await stack.enter_async_context(cast("AbstractAsyncContextManager[object]", self._settings.inbox))
                stack.push_async_callback(runner.drain)
                await runner.restore()
                yield self
        finally:
            self._runner = None

    async def accept(self, event: WebhookEvent) -> Accepted:
        """Accept an event. When this returns, the event is safe, so its delivery may be answered with 200.

        Raises:
            NotAcceptedError: If the dispatcher is full, shutting down or not running, or if with ``ack="handled"`` the
                handler takes longer than 8 s: answer with 503.
            HandlerFailedError: If the handler failed. Only raised with ``ack="handled"``.
            InboxError: If the event could not be stored.
        """
        if self._runner is None:
            raise NotAcceptedError(_NOT_RUNNING)
        return await self._runner.accept(event)

    async def handle(self, event: WebhookEvent) -> None:
        """Run the handler of an event here and now, without inbox and lanes: for unit tests and workers of a queue.

        Raises:
            RuntimeError: If the dispatcher is not running.
            Exception: Whatever the handler raises in the last attempt.
        """
        if self._runner is None:
            raise RuntimeError(_NOT_RUNNING)
        failure = await self._runner.handle(event, Burst(Job(event, event_key(event))))
        if failure is not None:
            await failure.report()
            raise failure.error

    async def idle(self) -> None:
        """Wait until no event waits or runs: for tests. A handler must not wait for this."""
        if self._runner is not None:
            await self._runner.lanes.idle()


_NOT_RUNNING = (
    "the dispatcher is not running: use `async with dispatcher.running(linq, state)`. With an integration, the "
    "lifespan of the application has not run: a test client needs a `with` block, and a mounted application has none"
)
