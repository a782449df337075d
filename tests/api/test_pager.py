"""``Pager``: pages, items, items that shift, and resuming after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from linq_async import Contact, LinqError, Page, Pager, RetryPolicy, to_dict
from tests.support.world import LINE, World, failure_of

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def ten(world: World) -> AsyncIterator[World]:
    """Return a client without retries on a sandbox with ten contacts, 7001 to 7010."""
    for number in range(10):
        await world.linq.contacts.create(first_name=f"No {number}")
    world.linq = world.linq.with_options(retry=RetryPolicy.none())
    world.forget()
    yield world


def _asked(world: World) -> list[str]:
    return [entry.query.split("&")[0] for entry in world.sandbox.requests]


def _ids(items: Any) -> list[int]:
    return [item.id - 7000 for item in items]


def _page(ids: list[int], **pagination: int) -> dict[str, object]:
    body: dict[str, object] = {"contacts": [{"id": 7000 + id_} for id_ in ids]}
    return {**body, "pagination": pagination} if pagination else body


async def test_making_one_sends_nothing(ten: World) -> None:
    """A list call sends nothing until it is read."""
    pager = ten.linq.contacts.list()
    assert isinstance(pager, Pager)
    assert (repr(pager), ten.seen) == ("<Pager contacts.list>", [])


async def test_awaiting_gives_the_first_page(ten: World) -> None:
    """Awaiting a pager requests one page, which has its totals."""
    page = await ten.linq.contacts.list(per_page=4)
    assert (_ids(page), len(page)) == ([1, 2, 3, 4], 4)
    assert (page.number, page.total_pages, page.total_count, page.per_page) == (1, 3, 10, 4)
    assert _asked(ten) == ["page=1"]
    assert to_dict(page)["items"][0]["first_name"] == "No 0"


async def test_every_item(ten: World) -> None:
    """Iterating yields the items of all pages in order, without a request beyond the last page."""
    assert [contact.id - 7000 async for contact in ten.linq.contacts.list(per_page=4)] == list(range(1, 11))
    assert _asked(ten) == ["page=1", "page=2", "page=3"]


async def test_every_page(ten: World) -> None:
    """``pages()`` yields page after page, from any page on."""
    pages = [page async for page in ten.linq.contacts.list(page=2, per_page=4).pages()]
    assert [(page.number, _ids(page)) for page in pages] == [(2, [5, 6, 7, 8]), (3, [9, 10])]


async def test_each_reading_requests_again(ten: World) -> None:
    """A pager caches nothing: awaiting it or iterating over it again requests again."""
    pager = ten.linq.contacts.list(per_page=10)
    assert _ids(await pager) == _ids(await pager) == [contact.id - 7000 async for contact in pager]
    assert _asked(ten) == ["page=1"] * 3


@pytest.mark.parametrize(("given", "sent"), [(1, 1), (100, 100), (101, 100), (10**9, 100)])
async def test_a_page_holds_a_hundred_at_most(ten: World, given: int, sent: int) -> None:
    """The page size is limited to the documented maximum, which is the default."""
    await ten.linq.contacts.list(per_page=given)
    await ten.linq.contacts.list()
    assert [entry.query for entry in ten.sandbox.requests] == [f"page=1&per_page={sent}", "page=1&per_page=100"]


@pytest.mark.parametrize("wrong", [0, -1, True, "1", 1.0, None])
async def test_a_page_is_a_number(ten: World, wrong: Any) -> None:
    """Invalid page numbers and sizes are rejected together when the list is read; nothing is sent."""
    pager = ten.linq.contacts.list(page=wrong, per_page=wrong)
    for call in (pager.__await__, pager.pages().__anext__, aiter(pager).__anext__):
        with pytest.raises(ValueError, match="page must be an int above 0; per_page must be an int above 0"):
            await _awaitable(call)
    assert ten.seen == []


async def _awaitable(call: Any) -> Any:
    return await call() if call.__name__ == "__anext__" else await call.__self__


async def test_what_shifts_comes_once(ten: World) -> None:
    """An item that moves to a later page because others were added is not repeated."""
    newest_first = [[10, 9, 8], [8, 7, 6], [6, 5, 4]]
    for number, ids in enumerate(newest_first, 1):
        ten.sandbox.faults.answer(200, json=_page(ids, current_page=number, total_pages=3))
    pages = [_ids(page) async for page in ten.linq.contacts.list().pages()]
    assert pages == [[10, 9, 8], [7, 6], [5, 4]]


async def test_the_end_moves_while_one_reads(ten: World) -> None:
    """Reading ends at the page count of the first page, even if the list grows."""
    pager, seen = ten.linq.contacts.list(per_page=4), list[int]()
    async for contact in pager:
        seen.append(contact.id - 7000)
        if contact.id == 7006:
            for number in range(11, 15):
                await ten.linq.contacts.create(first_name=f"No {number}")
    assert seen == list(range(1, 13))
    assert [entry for entry in _asked(ten) if entry] == ["page=1", "page=2", "page=3"]
    assert [contact.id - 7000 async for contact in pager] == list(range(1, 15))


async def test_the_end_comes_earlier_while_one_reads(ten: World) -> None:
    """Reading ends at the page count of the latest page if the list shrinks."""
    for number, total in ((1, 4), (2, 2)):
        ten.sandbox.faults.answer(200, json=_page([number], current_page=number, total_pages=total))
    assert [contact.id - 7000 async for contact in ten.linq.contacts.list()] == [1, 2]
    assert _asked(ten) == ["page=1", "page=2"]


@pytest.mark.parametrize("figures", [{"current_page": 1, "total_pages": 10**15}, {}])
async def test_a_page_that_comes_again_ends_the_list(ten: World, figures: dict[str, int]) -> None:
    """A server that keeps returning the same page gets two requests."""
    ten.sandbox.faults.answer(200, json=_page([1, 2], **figures), times=5)
    assert [contact.id - 7000 async for contact in ten.linq.contacts.list()] == [1, 2]
    assert _asked(ten) == ["page=1", "page=2"]


async def test_a_count_that_grows_does_not_prolong_the_list(ten: World) -> None:
    """Reading ends at the first page count, even if every page is new and counts one more."""
    for number in range(1, 9):
        ten.sandbox.faults.answer(200, json=_page([number], current_page=number, total_pages=number + 2))
    assert [contact.id - 7000 async for contact in ten.linq.contacts.list()] == [1, 2, 3]
    assert _asked(ten) == ["page=1", "page=2", "page=3"]


async def test_a_failed_page_is_asked_for_again(ten: World) -> None:
    """After a failure the same iterator resumes without losing or repeating an item."""
    seen: list[int | str] = []
    contacts = aiter(ten.linq.contacts.list(per_page=4))
    ten.sandbox.faults.answer(503, path="/nowhere")
    for _ in range(2):
        try:
            async for contact in contacts:
                seen.append(contact.id - 7000)
                if contact.id == 7004:
                    ten.sandbox.faults.clear()
                    ten.sandbox.faults.drop_before_storing()
        except LinqError as error:
            seen.append(type(error).__name__)
    assert seen == [1, 2, 3, 4, "ConnectionLostError", 5, 6, 7, 8, 9, 10]
    assert _asked(ten) == ["page=1", "page=2", "page=2", "page=3"]


async def test_pages_go_on_after_a_failure_too(ten: World) -> None:
    """The iterator over pages resumes too, even if the first page failed."""
    pages = ten.linq.contacts.list(per_page=5).pages()
    ten.sandbox.faults.answer(500)
    await failure_of(anext(pages))
    assert [_ids(page) async for page in pages] == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    with pytest.raises(StopAsyncIteration):
        await anext(pages)


async def test_several_tasks_share_an_iterator(ten: World) -> None:
    """Tasks that share an iterator get each item once, and each page is requested once."""
    contacts, seen = aiter(ten.linq.contacts.list(per_page=2)), list[int]()

    async def work() -> None:
        async for contact in contacts:
            seen.append(contact.id - 7000)
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(4)))
    assert sorted(seen) == list(range(1, 11))
    assert _asked(ten) == [f"page={number}" for number in range(1, 6)]


async def test_an_empty_list(world: World) -> None:
    """An empty list is one empty page if awaited, and yields nothing."""
    pager = world.linq.chats.list(phone_number=LINE)
    page = await pager
    assert (page.items, page.total_count, list(page)) == ([], 0, [])
    assert [chat async for chat in pager] == []
    assert [page async for page in pager.pages()] == []


async def test_a_list_without_figures(ten: World) -> None:
    """Without a page count, reading ends at the first page with nothing new."""
    for ids in ([1, 2], [3], [3]):
        ten.sandbox.faults.answer(200, json=_page(ids))
    pages = [(page.number, _ids(page), page.total_pages) async for page in ten.linq.contacts.list().pages()]
    assert pages == [(1, [1, 2], None), (2, [3], None)]
    assert _asked(ten) == ["page=1", "page=2", "page=3"]


async def test_a_page_that_is_empty_ends_the_list(ten: World) -> None:
    """Reading ends at an empty page, even if the count promises more."""
    ten.sandbox.faults.answer(200, json=_page([1], current_page=1, total_pages=10**6))
    ten.sandbox.faults.answer(200, json=_page([], current_page=2, total_pages=10**6))
    assert [contact.id async for contact in ten.linq.contacts.list()] == [7001]
    assert _asked(ten) == ["page=1", "page=2"]


@pytest.mark.parametrize("body", [{}, {"data": []}, {"contacts": {}}, {"contacts": [], "pagination": []}, []])
async def test_the_envelope_is_not_guessed(ten: World, body: object) -> None:
    """A list under another name, or invalid totals, are a DecodeError and not an empty page."""
    ten.sandbox.faults.answer(200, json=body)
    error = await failure_of(_one(ten.linq.contacts.list()))
    assert type(error).__name__ == "DecodeError"


async def _one(pager: Pager[Contact]) -> Page[Contact]:
    return await pager
