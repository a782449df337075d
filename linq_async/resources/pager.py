"""Lists that come in pages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, Protocol, Self, TypeVar

from linq_async.models.common import Page


class Identified(Protocol):
    """What has an id, by which it is known again on another page."""

    id: int


T = TypeVar("T", bound=Identified)
Fetch = Callable[[int], Coroutine[Any, Any, Page[T]]]


class Pager(Generic[T]):
    """A list that the server gives in pages. Making one sends nothing.

    ``await pager`` gives its first page, ``async for item in pager`` every item, ``async for page in pager.pages()``
    every page. Each of them asks again. An item that was on an earlier page, as happens if the list changes while it is
    read, does not come again.

    Reading ends after as many pages as the first one counted, or earlier after a page that adds nothing new. So a list
    that grows meanwhile is read within its first length: what a further page would hold comes with the next reading.
    If a whole page of items is added in front between two pages, the page after holds nothing new, and reading ends
    there.

    An iterator outlives a failure: after one, the next step asks for the same page again. So keep it, and go on::

        chats = aiter(linq.chats.list(phone_number=line))
        try:
            async for chat in chats: ...
        except LinqError:
            await asyncio.sleep(60)
            async for chat in chats: ...  # from where it stood
    """

    def __init__(self, operation: str, fetch: Fetch[T], first: int) -> None:
        self._operation = operation
        self._fetch = fetch
        self._first = first

    def __repr__(self) -> str:
        return f"<Pager {self._operation}>"

    def __await__(self) -> Generator[Any, None, Page[T]]:
        return self._fetch(self._first).__await__()

    def __aiter__(self) -> Items[T]:
        return Items(self.pages())

    def pages(self) -> Pages[T]:
        """Return an iterator over the pages that hold anything not seen before."""
        return Pages(self._fetch, self._first)


class Pages(Generic[T]):
    """An iterator over pages. It can go on after a failure, and several tasks may share it."""

    def __init__(self, fetch: Fetch[T], first: int) -> None:
        self._fetch = fetch
        self._next = first
        self._over = False
        self._last: int | None = None
        """The number of the last page, as the first page counted; later ones may lower it."""
        self._seen: set[int] = set()
        self._turn = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page[T]:
        async with self._turn:
            if not self._over:
                page = await self._fetch(self._next)
                page.items = self._unseen(page.items)
                self._over = not page.items or self._is_last(page.total_pages)
                self._next += 1
                if page.items:
                    return page
        raise StopAsyncIteration

    def _is_last(self, total_pages: int | None) -> bool:
        """Return whether no page follows by the server's count; False if it gives none."""
        if total_pages is not None:
            self._last = total_pages if self._last is None else min(self._last, total_pages)
        return self._last is not None and self._next >= self._last

    def _unseen(self, items: list[T]) -> list[T]:
        new = {item.id: item for item in items if item.id not in self._seen}
        self._seen.update(new)
        return list(new.values())


class Items(Generic[T]):
    """An iterator over the items of all pages. It can go on after a failure, and several tasks may share it."""

    def __init__(self, pages: Pages[T]) -> None:
        self._pages = pages
        self._ready: deque[T] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            self._ready.extend(await anext(self._pages))
        return self._ready.popleft()
