"""Invalid arguments are rejected before anything is sent, all at once and by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from linq_async import InvalidArgumentError, NewChat, Outcome, Upload

from .kinds import Workshop
from .recorder import Recorder
from .sending import RECIPIENT, SENDER, client, leaving_nothing

GOOD: dict[str, Any] = {"send_from": SENDER, "phone_numbers": [RECIPIENT], "text": "Hello!"}
LONG = Upload.from_bytes(b"x", filename="日" * 434)

REFUSED: list[tuple[str, Any, list[str]]] = [
    ("phone_numbers", [], ["phone_numbers"]),
    ("phone_numbers", (), ["phone_numbers"]),
    ("phone_numbers", iter(()), ["phone_numbers"]),
    ("phone_numbers", RECIPIENT, ["phone_numbers"]),
    ("phone_numbers", RECIPIENT.encode(), ["phone_numbers"]),
    ("phone_numbers", None, ["phone_numbers"]),
    ("phone_numbers", 13343284472, ["phone_numbers"]),
    ("phone_numbers", [RECIPIENT, ""], ["phone_numbers[1]"]),
    ("phone_numbers", ["", RECIPIENT, None, 1], ["phone_numbers[0]", "phone_numbers[2]", "phone_numbers[3]"]),
    ("phone_numbers", ["\ud800"], ["phone_numbers[0]"]),
    ("send_from", "", ["send_from"]),
    ("send_from", None, ["send_from"]),
    ("text", "", ["text"]),
    ("text", None, ["text"]),
    ("text", b"Hello!", ["text"]),
    ("text", "half \ud83d", ["text"]),
    ("display_name", "", ["display_name"]),
    ("display_name", 5, ["display_name"]),
    ("idempotency_key", "key\n", ["idempotency_key"]),
    ("idempotency_key", "", ["idempotency_key"]),
    ("idempotency_key", "a key", ["idempotency_key"]),
    ("idempotency_key", "schlüssel", ["idempotency_key"]),
    ("idempotency_key", "٣", ["idempotency_key"]),
    ("idempotency_key", 1017, ["idempotency_key"]),
    ("attachment_urls", "https://example.com/a.pdf", ["attachment_urls"]),
    ("attachment_urls", ["ftp://example.com/a.pdf"], ["attachment_urls[0]"]),
    ("attachment_urls", ["https://example.com/", "file:///etc/passwd"], ["attachment_urls[1]"]),
    ("attachment_urls", ["example.com/a.pdf"], ["attachment_urls[0]"]),
    ("attachment_urls", ["https://"], ["attachment_urls[0]"]),
    ("attachment_urls", ["https://[::1/a"], ["attachment_urls[0]"]),
    ("attachment_urls", ["https://example.com/a b"], ["attachment_urls[0]"]),
    ("attachment_urls", ["https://example.com/\nX: 1"], ["attachment_urls[0]"]),
    ("attachment_urls", ["", None], ["attachment_urls[0]", "attachment_urls[1]"]),
    ("attachments", "quote.pdf", ["attachments"]),
    ("attachments", b"%PDF", ["attachments"]),
    ("attachments", None, ["attachments"]),
    ("attachments", Path("quote.pdf"), ["attachments"]),
    ("attachments", Upload.from_bytes(b"x", filename="a.txt"), ["attachments"]),
    ("attachments", ["quote.pdf"], ["attachments[0]"]),
    ("attachments", [Path("a.txt"), "https://example.com/a.pdf"], ["attachments[1]"]),
    ("attachments", [b"%PDF", None, 5], ["attachments[0]", "attachments[1]", "attachments[2]"]),
    ("attachments", [LONG], ["attachments[0]"]),
    ("attachments", [Path("/")], ["attachments[0]"]),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("argument", "value", "named"), REFUSED, ids=[f"{a}-{v!a}"[:48] for a, v, _ in REFUSED])
async def test_one_bad_argument_is_refused_by_its_name(
    server: Recorder, argument: str, value: Any, named: list[str]
) -> None:
    """An invalid argument is rejected by its name and index, before a connection is made."""
    async with leaving_nothing(server) as linq:
        with pytest.raises(InvalidArgumentError) as caught:
            await linq.chats.create(**GOOD | {argument: value})
    error = caught.value
    assert [problem.argument for problem in error.problems] == named
    assert all(str(problem) in str(error) for problem in error.problems)
    assert (error.attempts, error.outcome, server.log) == (0, Outcome.NOT_SENT, [])
    assert isinstance(error, ValueError)


@pytest.mark.asyncio
async def test_all_problems_are_reported_at_once(server: Recorder, workshop: Workshop) -> None:
    """One error lists every invalid argument of a call, without the values."""
    closed = workshop.opened("a.txt")
    closed.close()
    async with client(server) as linq:
        with pytest.raises(InvalidArgumentError) as caught:
            await linq.chats.create(
                send_from="",
                phone_numbers=["+13340000001", ""],
                text="",
                display_name="",
                attachments=["secret/quote.pdf", closed, LONG],  # type: ignore[list-item]
                attachment_urls=["ftp://secret.example/a"],
                idempotency_key="secret key\n",
            )
    assert {problem.argument for problem in caught.value.problems} == {
        "send_from",
        "phone_numbers[1]",
        "text",
        "display_name",
        "attachments[0]",
        "attachments[1]",
        "attachments[2]",
        "attachment_urls[0]",
        "idempotency_key",
    }
    assert "secret" not in str(caught.value)
    assert "0001" not in str(caught.value)


@pytest.mark.asyncio
async def test_a_str_among_attachments_is_shown_the_way_out(server: Recorder) -> None:
    """A str is rejected with what to pass instead: a Path for a file, attachment_urls for a URL."""
    async with client(server) as linq:
        with pytest.raises(InvalidArgumentError, match=r"Path.*attachment_urls"):
            await linq.chats.create(**GOOD, attachments=["quote.pdf"])  # type: ignore[list-item]


@pytest.mark.asyncio
async def test_a_value_that_was_built_before_is_checked_as_it_is_sent(server: Recorder) -> None:
    """Building a NewChat checks nothing; ``problems()`` and sending it find the same problems."""
    bad = NewChat(send_from=SENDER, phone_numbers=[], text="")
    async with client(server) as linq:
        with pytest.raises(InvalidArgumentError) as caught:
            await linq.chats.send(bad)
    assert list(caught.value.problems) == bad.problems()


TAKEN: list[tuple[str, Any]] = [
    ("phone_numbers", ["2223334444"]),
    ("phone_numbers", ["someone@example.com"]),
    ("phone_numbers", ["+1 (334) 328-4472", "911", "not a number at all"]),
    ("phone_numbers", (RECIPIENT,)),
    ("phone_numbers", {RECIPIENT: "a name"}),
    ("phone_numbers", (number for number in [RECIPIENT])),
    ("phone_numbers", [RECIPIENT] * 40),
    ("send_from", "5175269229"),
    ("text", " "),
    ("text", "x" * 100_000),
    ("display_name", "🎉"),
    ("idempotency_key", "-"),
    ("idempotency_key", "k" * 300),
    ("attachment_urls", ["http://localhost/a", "HTTPS://EXAMPLE.COM:8443/ü?q=%20#f"]),
    ("attachment_urls", ()),
    ("attachments", ()),
    ("attachments", [Upload.from_bytes(b"", filename="x" * 1_300)]),
    ("attachments", (Upload.from_bytes(b"x", filename=f"{number}") for number in range(9))),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("argument", "value"), TAKEN, ids=[f"{a}-{v!a}"[:40] for a, v in TAKEN])
async def test_what_the_server_may_accept_is_sent(server: Recorder, argument: str, value: Any) -> None:
    """Values that only the server can judge are sent."""
    async with client(server) as linq:
        await linq.chats.create(**GOOD | {argument: value})
    assert len(server.log) == 1
