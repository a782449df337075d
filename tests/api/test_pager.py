"""``Pager``: pages, items, items that shift, and going on after a failure."""

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
    """Give a sandbox with ten contacts, 7001 to 7010, and a client without retries."""
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
    """A list call returns at once, and what is never read is never asked for."""
    pager = ten.linq.contacts.list()
    assert isinstance(pager, Pager)
    assert (repr(pager), ten.seen) == ("<Pager contacts.list>", [])


async def test_awaiting_gives_the_first_page(ten: World) -> None:
    """Awaited, it is one request and one page, with its figures."""
    page = await ten.linq.contacts.list(per_page=4)
    assert (_ids(page), len(page)) == ([1, 2, 3, 4], 4)
    assert (page.number, page.total_pages, page.total_count, page.per_page) == (1, 3, 10, 4)
    assert _asked(ten) == ["page=1"]
    assert to_dict(page)["items"][0]["first_name"] == "No 0"


async def test_every_item(ten: World) -> None:
    """Iterated over, it gives every item of all pages, in their order, and asks no more than there is."""
    assert [contact.id - 7000 async for contact in ten.linq.contacts.list(per_page=4)] == list(range(1, 11))
    assert _asked(ten) == ["page=1", "page=2", "page=3"]


async def test_every_page(ten: World) -> None:
    """Its pages can be had one by one, from any page on."""
    pages = [page async for page in ten.linq.contacts.list(page=2, per_page=4).pages()]
    assert [(page.number, _ids(page)) for page in pages] == [(2, [5, 6, 7, 8]), (3, [9, 10])]


async def test_each_reading_asks_anew(ten: World) -> None:
    """A pager holds no answers: awaited or iterated over again, it reads again."""
    pager = ten.linq.contacts.list(per_page=10)
    assert _ids(await pager) == _ids(await pager) == [contact.id - 7000 async for contact in pager]
    assert _asked(ten) == ["page=1"] * 3


@pytest.mark.parametrize(("given", "sent"), [(1, 1), (100, 100), (101, 100), (10**9, 100)])
async def test_a_page_holds_a_hundred_at_most(ten: World, given: int, sent: int) -> None:
    """A larger page than the API documents is not asked for; by default the largest is."""
    await ten.linq.contacts.list(per_page=given)
    await ten.linq.contacts.list()
    assert [entry.query for entry in ten.sandbox.requests] == [f"page=1&per_page={sent}", "page=1&per_page=100"]


@pytest.mark.parametrize("wrong", [0, -1, True, "1", 1.0, None])
async def test_a_page_is_a_number(ten: World, wrong: Any) -> None:
    """What is no page number or size is refused when the list is read, both at once, and nothing is sent."""
    pager = ten.linq.contacts.list(page=wrong, per_page=wrong)
    for call in (pager.__await__, pager.pages().__anext__, aiter(pager).__anext__):
        with pytest.raises(ValueError, match="page must be an int above 0; per_page must be an int above 0"):
            await _awaitable(call)
    assert ten.seen == []


async def _awaitable(call: Any) -> Any:
    return await call() if call.__name__ == "__anext__" else await call.__self__


async def test_what_shifts_comes_once(ten: World) -> None:
    """An item that slips to a later page while one reads, for others were added before it, does not come again."""
    newest_first = [[10, 9, 8], [8, 7, 6], [6, 5, 4]]
    for number, ids in enumerate(newest_first, 1):
        ten.sandbox.faults.answer(200, json=_page(ids, current_page=number, total_pages=3))
    pages = [_ids(page) async for page in ten.linq.contacts.list().pages()]
    assert pages == [[10, 9, 8], [7, 6], [5, 4]]


async def test_the_end_moves_while_one_reads(ten: World) -> None:
    """A list that grows is read within the pages that its first one counted: the rest comes with the next reading."""
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
    """A list that shrinks is read to the end that the latest page counts, without asking for what is gone."""
    for number, total in ((1, 4), (2, 2)):
        ten.sandbox.faults.answer(200, json=_page([number], current_page=number, total_pages=total))
    assert [contact.id - 7000 async for contact in ten.linq.contacts.list()] == [1, 2]
    assert _asked(ten) == ["page=1", "page=2"]


@pytest.mark.parametrize("figures", [{"current_page": 1, "total_pages": 10**15}, {}])
async def test_a_page_that_comes_again_ends_the_list(ten: World, figures: dict[str, int]) -> None:
    """A server that gives the same page for ever is asked twice."""
    ten.sandbox.faults.answer(200, json=_page([1, 2], **figures), times=5)
    assert [contact.id - 7000 async for contact in ten.linq.contacts.list()] == [1, 2]
    assert _asked(ten) == ["page=1", "page=2"]


async def test_a_count_that_grows_does_not_prolong_the_list(ten: World) -> None:
    """A server that counts one page more on each page, and has something new on it, is read to its first count."""
    for number in range(1, 9):
        ten.sandbox.faults.answer(200, json=_page([number], current_page=number, total_pages=number + 2))
    assert [contact.id - 7000 async for contact in ten.linq.contacts.list()] == [1, 2, 3]
    assert _asked(ten) == ["page=1", "page=2", "page=3"]


async def test_a_failed_page_is_asked_for_again(ten: World) -> None:
    """The same iterator goes on from where it stood: nothing is lost, nothing comes twice."""
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
    """The iterator over pages goes on in the same way, also where the first page failed."""
    pages = ten.linq.contacts.list(per_page=5).pages()
    ten.sandbox.faults.answer(500)
    await failure_of(anext(pages))
    assert [_ids(page) async for page in pages] == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    with pytest.raises(StopAsyncIteration):
        await anext(pages)


async def test_several_tasks_share_an_iterator(ten: World) -> None:
    """Tasks that take from one iterator get every item once, and no page is asked for twice."""
    contacts, seen = aiter(ten.linq.contacts.list(per_page=2)), list[int]()

    async def work() -> None:
        async for contact in contacts:
            seen.append(contact.id - 7000)
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(4)))
    assert sorted(seen) == list(range(1, 11))
    assert _asked(ten) == [f"page={number}" for number in range(1, 6)]


async def test_an_empty_list(world: World) -> None:
    """An empty list is one empty page when awaited, and nothing when iterated over."""
    pager = world.linq.chats.list(phone_number=LINE)
    page = await pager
    assert (page.items, page.total_count, list(page)) == ([], 0, [])
    assert [chat async for chat in pager] == []
    assert [page async for page in pager.pages()] == []


async def test_a_list_without_figures(ten: World) -> None:
    """Where the server does not say how many pages there are, the reading ends once nothing new comes."""
    for ids in ([1, 2], [3], [3]):
        ten.sandbox.faults.answer(200, json=_page(ids))
    pages = [(page.number, _ids(page), page.total_pages) async for page in ten.linq.contacts.list().pages()]
    assert pages == [(1, [1, 2], None), (2, [3], None)]
    assert _asked(ten) == ["page=1", "page=2", "page=3"]


async def test_a_page_that_is_empty_ends_the_list(ten: World) -> None:
    """A count that promises more than there is keeps nobody asking."""
    ten.sandbox.faults.answer(200, json=_page([1], current_page=1, total_pages=10**6))
    ten.sandbox.faults.answer(200, json=_page([], current_page=2, total_pages=10**6))
    assert [contact.id async for contact in ten.linq.contacts.list()] == [7001]
    assert _asked(ten) == ["page=1", "page=2"]


@pytest.mark.parametrize("body", [{}, {"data": []}, {"contacts": {}}, {"contacts": [], "pagination": []}, []])
async def test_the_envelope_is_not_guessed(ten: World, body: object) -> None:
    """A list under another name, or figures of another shape, are a DecodeError and no empty page."""
    ten.sandbox.faults.answer(200, json=body)
    error = await failure_of(_one(ten.linq.contacts.list()))
    assert type(error).__name__ == "DecodeError"


async def _one(pager: Pager[Contact]) -> Page[Contact]:
    return await pager
