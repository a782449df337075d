"""linq_async/key_memory.py."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from linq_async import NewChat, NewMessage, Outcome, Upload
from linq_async.key_memory import REMEMBERED, Claim, KeyMemory
from linq_async.wire.request import Request

TOKEN, TEXT = "token-of-the-tests", "a text that nobody may see"
NUMBER = "+13343284472"


def _request(key: str = "k-1", text: str = TEXT, **fields: Any) -> Request:
    given: dict[str, Any] = {"send_from": "+15175269229", "phone_numbers": [NUMBER], **fields}
    message = NewChat(text=text, idempotency_key=key, **given)
    sizes = [upload.measure() for upload in message.uploads()]
    return Request(
        operation="chats.create", method="POST", path="/chats", body=message, idempotency_key=key, sizes=sizes
    )


def _claimed(memory: KeyMemory, request: Request) -> Claim:
    claim = memory.claim(TOKEN, request)
    assert claim is not None
    return claim


def test_the_last_ten_thousand_are_remembered() -> None:
    """The oldest key is forgotten once there are more than 10,000, and a repeat makes a key the youngest."""
    memory = KeyMemory()
    assert REMEMBERED == 10_000
    for number in range(REMEMBERED):
        _claimed(memory, _request(f"k-{number}")).release(Outcome.SENT)
    _claimed(memory, _request("k-0")).release(Outcome.SENT)
    _claimed(memory, _request("one-more")).release(Outcome.SENT)
    assert len(memory) == REMEMBERED
    assert memory.claim(TOKEN, _request("k-0", text="another")) is None
    assert memory.claim(TOKEN, _request("k-1", text="another")) is not None


def test_a_call_under_way_is_never_forgotten() -> None:
    """A key whose call is under way is kept beyond the limit."""
    memory = KeyMemory(limit=2)
    claim = _claimed(memory, _request("k-0"))
    for number in range(1, 6):
        _claimed(memory, _request(f"k-{number}")).release(Outcome.UNKNOWN)
    assert len(memory) == 3
    assert memory.claim(TOKEN, _request("k-0", text="another")) is None
    claim.release(Outcome.NOT_SENT)
    assert memory.claim(TOKEN, _request("k-0", text="another")) is not None


@pytest.mark.parametrize("first", list(Outcome))
@pytest.mark.parametrize("second", list(Outcome))
def test_only_a_key_that_sent_nothing_is_forgotten(first: Outcome, second: Outcome) -> None:
    """Of two calls at once, in whichever order they end, one that may have sent something keeps the key."""
    memory = KeyMemory()
    claims = [_claimed(memory, _request()), _claimed(memory, _request())]
    assert [claim.repeats for claim in claims] == [False, True]
    claims[1].release(first)
    claims[0].release(second)
    forgotten = first is second is Outcome.NOT_SENT
    assert (memory.claim(TOKEN, _request(text="another")) is not None) is forgotten
    assert len(memory) == 1


def test_the_same_message_may_be_spelled_otherwise() -> None:
    """The order of recipients, files and URLs, and the spelling of a number, make no other message."""
    memory = KeyMemory()
    files = [Upload.from_bytes(b"x" * size, filename=f"{size}.txt") for size in (1, 2)]
    urls = ["https://example.com/a", "https://example.com/b"]
    people = [NUMBER, "Sam@example.com"]
    _claimed(memory, _request(phone_numbers=people, attachments=files, attachment_urls=urls)).release(Outcome.SENT)
    again = _request(
        phone_numbers=["sam@example.com", "3343284472"], attachments=files[::-1], attachment_urls=urls[::-1]
    )
    assert _claimed(memory, again).repeats


@pytest.mark.parametrize(
    "fields",
    [
        {"text": TEXT + " "},
        {"phone_numbers": [NUMBER, "+13344713465"]},
        {"send_from": "+12025550101"},
        {"attachment_urls": ["https://example.com/a"]},
        {"attachments": [Upload.from_bytes(b"x", filename="a.txt")]},
    ],
)
def test_another_message_is_refused(fields: dict[str, Any]) -> None:
    """Another text, recipient, line, URL or file under the same key is refused."""
    memory = KeyMemory()
    _claimed(memory, _request()).release(Outcome.SENT)
    assert memory.claim(TOKEN, _request(**fields)) is None


def test_parts_do_not_run_into_each_other() -> None:
    """A message whose text looks like another's further parts is another message."""
    memory = KeyMemory()
    plain = Request(operation="messages.send", method="POST", path="/x", idempotency_key="k-1", sizes=[])
    plain.body = NewMessage(text="Hi", attachment_urls=["https://example.com/a"])
    _claimed(memory, plain).release(Outcome.SENT)
    plain.body = NewMessage(text="Hi25:url https://example.com/a")
    assert memory.claim(TOKEN, plain) is None


def _reachable(thing: object) -> str:
    """Return all bytes and texts that can be reached from an object, but for classes and modules."""
    seen, found, todo = set[int](), list[str](), [thing]
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type) or hasattr(one, "__code__"):
            continue
        seen.add(id(one))
        found.append(one.decode("latin-1") if isinstance(one, bytes) else str(one) if isinstance(one, str) else "")
        todo += gc.get_referents(one)
    return "\n".join(found)


def test_a_memory_holds_and_shows_nothing_in_clear() -> None:
    """Neither token, key, number nor text can be reached from a memory, and its repr shows no digest."""
    memory = KeyMemory()
    claim = _claimed(memory, _request("a-key-to-look-for"))
    hidden = _reachable(vars(memory))
    assert not any(word in hidden for word in (TOKEN, TEXT, NUMBER[1:], "a-key-to-look-for"))
    assert "digest" not in repr(claim) + repr(memory)
    assert "index" not in repr(claim)


def test_two_memories_have_no_digest_in_common() -> None:
    """A digest says nothing to another process: each memory has a random key of its own."""
    first, second = [_claimed(KeyMemory(), _request()) for _ in range(2)]
    assert (first.index, first.use.digest) != (second.index, second.use.digest)
    assert first.use.digest != second.use.digest


def test_generated_key_without_a_message_is_not_remembered() -> None:
    """A failed call without a message, or whose attachments were not measured, leaves no key."""
    memory = KeyMemory()
    memory.remember_generated(TOKEN, Request(operation="request", method="GET", path="/x"), Outcome.UNKNOWN)
    unmeasured = _request(attachments=[Upload.from_bytes(b"x", filename="a.txt")])
    unmeasured.sizes = None
    memory.remember_generated(TOKEN, unmeasured, Outcome.UNKNOWN)
    assert len(memory) == 0


def test_generated_key_of_another_message_is_kept() -> None:
    """A key that was used with another message is not remembered for a second one."""
    memory = KeyMemory()
    first = _claimed(memory, _request(text="first"))
    memory.remember_generated(TOKEN, _request(text="second"), Outcome.UNKNOWN)
    first.release(Outcome.SENT)
    assert memory.claim(TOKEN, _request(text="second")) is None
    assert memory.claim(TOKEN, _request(text="first")) is not None
