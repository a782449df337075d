"""Iteration over lists that the API returns in pages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, Protocol, Self, TypeVar

from linq_async.models.common import Page


class Identified(Protocol):
    """An item whose id identifies it across pages."""

    id: int


T = TypeVar("T", bound=Identified)
Fetch = Callable[[int], Coroutine[Any, Any, Page[T]]]


class Pager(Generic[T]):
    """A list that the server returns in pages. Creating a pager sends nothing.

    ``await pager`` returns the first page, ``async for item in pager`` yields every item, and
    ``async for page in pager.pages()`` every page. Each of them requests the pages again. An item that moves to a later
    page because the list changes during the iteration is not yielded twice.

    Iteration ends after the number of pages that the first page states, or earlier after a page without new items. If
    the list grows during the iteration, items beyond its initial length are left for the next iteration. If a whole
    page of items is inserted at the front between two requests, the next page has no new items and ends the iteration.

    An iterator can be continued after a failure: it requests the failed page again. Keep it for that::

        chats = aiter(linq.chats.list(phone_number=line))
        try:
            async for chat in chats: ...
        except LinqError:
            await asyncio.sleep(60)
            async for chat in chats: ...  # continues with the failed page
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
        """Return an iterator over the pages that contain new items."""
        return Pages(self._fetch, self._first)


class Pages(Generic[T]):
    """An iterator over pages. It can be continued after a failure and shared by several tasks."""

    def __init__(self, fetch: Fetch[T], first: int) -> None:
        self._fetch = fetch
        self._next: int = first
        self._over: bool = False
        self._last: int | None = None
        """The number of the last page, as the first page stated it. Later pages may lower it."""
        self._seen: set[int] = set()
        self._lock = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page[T]:
        async with self._lock:
            if not self._over:
                page = await self._fetch(self._next)
                new = {item.id: item for item in page.items if item.id not in self._seen}
                self._seen.update(new)
                page.items = list(new.values())
                if page.total_pages is not None:
                    self._last = page.total_pages if self._last is None else min(self._last, page.total_pages)
                self._over = not page.items or (self._last is not None and self._next >= self._last)
                self._next += 1
                if page.items:
                    return page
        raise StopAsyncIteration


class Items(Generic[T]):
    """An iterator over the items of all pages. It can be continued after a failure and shared by several tasks."""

    def __init__(self, pages: Pages[T]) -> None:
        self._pages = pages
        self._ready: deque[T] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            self._ready.extend(await anext(self._pages))
        return self._ready.popleft()
