"""What the resources share: a call as a value, and how it is sent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import attrs

from linq_async.errors import InvalidArgumentError, Problem
from linq_async.models.checks import count_problems, id_problems
from linq_async.models.common import ListResponse, Page
from linq_async.models.outgoing import NewMessage
from linq_async.pipeline import Pipeline
from linq_async.resources.pager import Identified, Pager
from linq_async.wire.request import API, DEFAULT_GROUP, LimitGroup, Request
from linq_async.wire.result import CallResult

MAX_PER_PAGE = 100

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item", bound=Identified)
Params = Sequence[tuple[str, str]]


@attrs.frozen(eq=False)
class Draft:
    """A call with unchecked arguments. Its ``repr`` does not show their values.

    A method makes a draft of its arguments and passes it to a coroutine, which checks it: then the arguments are not in
    the frames of a traceback.
    """

    operation: str
    method: str
    route: str
    """The path below the root of the API, with the names of its ids: ``/chats/{chat_id}``."""
    ids: Mapping[str, int] = attrs.field(factory=dict[str, int], repr=False)
    body: NewMessage | Mapping[str, Any] | None = attrs.field(default=None, kw_only=True, repr=False)
    params: Params = attrs.field(default=(), kw_only=True, repr=False)
    problems: Sequence[Problem] = attrs.field(default=(), kw_only=True)
    """What is wrong with the arguments, except for the ids."""
    idempotency_key: str | None = attrs.field(default=None, kw_only=True)
    group: LimitGroup = attrs.field(default=DEFAULT_GROUP, kw_only=True)

    def check(self) -> None:
        """Raise InvalidArgumentError with all problems, if there are any."""
        problems = [*id_problems(self.ids), *self.problems]
        if problems:
            raise InvalidArgumentError(problems, operation=self.operation)

    def request(self, more: Params = ()) -> Request:
        """Check the arguments, and return a Request with more query parameters. Raises InvalidArgumentError."""
        self.check()
        return Request(
            operation=self.operation,
            method=self.method,
            path=API + self.route.format(**self.ids),
            body=self.body,
            params=(*self.params, *more),
            idempotency_key=self.idempotency_key,
            group=self.group,
        )


class Resource:
    """A resource of the API, and the pipeline that sends its calls."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def _send(self, draft: Draft) -> CallResult:
        return await self._pipeline.send(draft.request())

    def _observed(
        self, draft: Draft, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]:
        """Return the coroutine of a call, which ``on_call`` sees from its checks to its result."""
        return self._pipeline.observed(draft.operation, draft.method, API + draft.route, function, *args, **kwargs)

    def _result(self, draft: Draft, returns: type[T], envelope: str | None = "data") -> Coroutine[Any, Any, T]:
        """Send a call and return the model in its answer, in an envelope or bare."""

        async def result() -> T:
            return (await self._send(draft)).decode(envelope, returns)

        return self._observed(draft, result)

    def _done(self, draft: Draft) -> Coroutine[Any, Any, None]:
        """Send a call whose answer has no content."""

        async def done() -> None:
            await self._send(draft)

        return self._observed(draft, done)

    def _pager(self, draft: Draft, returns: type[ListResponse[Item]], page: int, per_page: int) -> Pager[Item]:
        """Return the pager of a list operation."""
        problems = [*draft.problems, *count_problems(page=page, per_page=per_page)]
        checked = attrs.evolve(draft, problems=problems)

        async def read(number: int) -> Page[Item]:
            checked.check()
            size = min(per_page, MAX_PER_PAGE)
            answer = await self._pipeline.send(checked.request((("page", str(number)), ("per_page", str(size)))))
            return answer.decode(None, returns).page(number)

        return Pager(draft.operation, lambda number: self._observed(draft, read, number), page)
