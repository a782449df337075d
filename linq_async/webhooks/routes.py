"""Which handler gets an event."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Generic, TypeAlias, TypeVar

import attrs

from linq_async.webhooks.context import Context, State
from linq_async.webhooks.events import Event, WebhookEvent, event_key

logger: logging.Logger = logging.getLogger("linq_async.webhooks")

A = TypeVar("A", bound=Event)

Handler: TypeAlias = Callable[[A, Context[State]], Awaitable[object]]
"""A coroutine function that handles an event."""
ErrorHandler: TypeAlias = Callable[[WebhookEvent, Context[State], Exception], Awaitable[object]]
"""A coroutine function that is called with an event whose handler failed, the context, and the error."""


class Skip(Exception):  # noqa: N818  # it reports no error
    """Raised by a handler to leave the event to the next handler that matches."""


@attrs.frozen(eq=False)
class Route(Generic[State]):
    """A handler, and which events it gets."""

    kinds: tuple[type[Event], ...]
    when: Callable[[Any], bool] | None
    handler: Handler[Any, State]

    def matches(self, event: Event) -> bool:
        """Return whether the handler gets the event. Raises whatever the predicate raises."""
        return isinstance(event, self.kinds) and (self.when is None or bool(self.when(event)))


@attrs.frozen(eq=False)
class Failure(Generic[State]):
    """What a handler or a predicate raised."""

    error: Exception
    context: Context[State]
    on_error: ErrorHandler[State] | None
    """The error handler of the dispatcher with which the handler was registered, or of the one that includes it."""

    async def report(self) -> None:
        """Call the error handler, if there is one. What it raises is logged."""
        if self.on_error is None:
            return
        try:
            await self.on_error(self.context.event, self.context, self.error)
        except Exception:
            logger.exception("%s: on_error failed", event_key(self.context.event))


class Routes(Generic[State]):
    """Handlers in order of registration. Others that are included keep their place, and may still grow."""

    def __init__(self) -> None:
        self._entries: list[Route[State] | Routes[State]] = []
        self.on_error: ErrorHandler[State] | None = None

    def __iter__(self) -> Iterator[Route[State]]:
        return (route for route, _ in self.each())

    def add(self, route: Route[State]) -> None:
        """Add a handler.

        Raises:
            TypeError: If it could not be called with an event and a context, or its predicate would always hold.
        """
        if route.when is not None and (not callable(route.when) or is_coroutine_function(route.when)):
            raise TypeError("when must be a plain function that returns a bool")
        check_handler(route.handler, "event", "context")
        self._entries.append(route)

    def include(self, other: Routes[State]) -> None:
        """Add all handlers of another, with those that it gets later.

        Raises:
            ValueError: If it includes this one.
        """
        if self is other or other.includes(self):
            raise ValueError("a dispatcher must not include itself")
        self._entries.append(other)

    def includes(self, other: Routes[State]) -> bool:
        """Return whether another is among the entries, or among theirs."""
        nested = [entry for entry in self._entries if isinstance(entry, Routes)]
        return any(entry is other or entry.includes(other) for entry in nested)

    def match(self, event: Event) -> bool:
        """Return whether a handler may get the event. A predicate that fails matches, so that its error is reported."""
        try:
            return self.matches(event)
        except Exception:  # noqa: BLE001  # it is raised again when the event is handled
            return True

    def matches(self, event: Event) -> bool:
        """Return whether a handler gets the event. Raises whatever a predicate raises."""
        for entry in self._entries:  # noqa: SIM110  # any() takes three times as long, and each event waits for it
            if entry.matches(event):
                return True
        return False

    async def run(self, context: Context[State]) -> Failure[State] | None:
        """Call the first handler that matches and does not skip the event."""
        for route, on_error in self.each():
            try:
                if route.matches(context.event):
                    await route.handler(context.event, context)
                    return None
            except Skip:
                continue
            except Exception as error:  # noqa: BLE001  # handlers may raise anything
                return Failure(error, context, on_error)
        return None

    def each(
        self, inherited: ErrorHandler[State] | None = None
    ) -> Iterator[tuple[Route[State], ErrorHandler[State] | None]]:
        """Yield the handlers, each with the error handler that is nearest to it."""
        on_error = self.on_error or inherited
        for entry in self._entries:
            if isinstance(entry, Routes):
                yield from entry.each(on_error)
            else:
                yield entry, on_error


def is_coroutine_function(function: object) -> bool:
    """Return whether calling it returns a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def check_kinds(kinds: tuple[object, ...]) -> None:
    """Check the classes for which a handler is registered.

    Raises:
        TypeError: If there are none, or one is not the class of an event.
    """
    if not kinds:
        raise TypeError("name the class of the events, such as @bot.on(MessageReceived), or Event for all")
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            raise TypeError(f"expected the class of an event, such as @bot.on(MessageReceived), got {kind!r}")


def check_handler(handler: Callable[..., object], *parameters: str) -> None:
    """Check that a handler is a coroutine function with these positional parameters.

    Raises:
        TypeError: If it is not.
    """
    name = getattr(handler, "__qualname__", repr(handler))
    wanted = f"{name} must be a coroutine function with the parameters ({', '.join(parameters)})"
    if not is_coroutine_function(handler):
        raise TypeError(wanted)
    try:
        inspect.signature(handler).bind(*parameters)
    except TypeError:
        raise TypeError(wanted) from None
