"""A server that rewrites texts, keeps its keys in one of several ways, and mixes answers up. Its time is given."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.support.clock import Clock
from tests.support.loopback import Loopback, Reply, Seen, refused, replied

LINE = "+15175269229"
EPOCH = datetime(2025, 7, 1, 12, tzinfo=UTC)
REWRITINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "curly quotes": lambda text: text.replace("'", "\u2019"),
    "composed": lambda text: unicodedata.normalize("NFC", text),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "zero width": lambda text: "\u200b".join(text),
    "escaped": html.escape,
    "ascii": lambda text: text.encode("ascii", "replace").decode(),
    "no symbols": lambda text: re.sub(r"[^\x00-\u024f]", "", text),
    "no NUL": lambda text: text.replace("\0", ""),
    "short links": lambda text: re.sub(r"https?://\S+", "lnq.example/a1", text),
    "one line": lambda text: " ".join(text.split()),
    "capitals": str.upper,
    "cut to 20": lambda text: text[:20],
    "cut to 12, with dots": lambda text: text[:12] + "...",
    "opt out": lambda text: f"{text} Reply STOP to opt out.",
    "signed": lambda text: f"Rye: {text}",
    "signed, with a symbol": lambda text: f"Rye | {text}",
    "masked": lambda text: re.sub(r"\d{3,}", "***", text),
    "digits masked": lambda text: re.sub(r"\b\d+", lambda found: "-" * len(found[0]), text),  # not those of an escape
    "words masked": lambda text: re.sub(r"\b([Ss]h|b|r)(op|ake|ye)\b", lambda word: word[1] + "-" * len(word[2]), text),
    "cut, then opt out": lambda text: f"{text[:40]} Reply STOP to opt out",
}


@dataclass(frozen=True)
class Habits:
    """How a server treats messages, keys and answers."""

    rewritings: tuple[str, ...] = ()
    keys: str = "kept"
    """``kept``, ``kept by recipient``, ``kept for a minute`` or ``ignored``."""
    handles: str = "people"
    """``people``, ``people and line``, ``respelled``, ``masked``, ``last digits`` or ``none``."""
    sent_at: bool = True
    date: bool = True
    skew: float = 0.0
    """Seconds by which the clock of ``sent_at`` is ahead."""

    def rewrite(self, text: str) -> str:
        """Return what the server stores of a text."""
        for name in self.rewritings:
            text = REWRITINGS[name](text)
        return text


@dataclass
class Kept:
    """A message that the server has stored."""

    id: int
    chat_id: int
    key: str
    people: frozenset[str]
    original: str = field(repr=False)
    at: float


class RewritingServer:
    """Stores messages as its habits say; ``misdeeds`` are what it does with the answers to come."""

    def __init__(self, habits: Habits) -> None:
        self.habits = habits
        self.clock = Clock(start=0.0)
        self.kept: list[Kept] = []
        self.misdeeds: list[str] = []
        self.chats: list[frozenset[str]] = []
        self.loopback = Loopback(default=self.answer)

    async def answer(self, seen: Seen) -> Reply | None:
        """Answer one request."""
        misdeed = self.misdeeds.pop(0) if self.misdeeds else "none"
        self.clock.advance(1.5 if misdeed.startswith("slow") else 0.01)
        if misdeed == "refuse":
            return refused(422)
        if misdeed == "fail":
            return refused(503)
        key, text, people = self._asked(seen)
        earlier = self._earlier(key, people)
        found = earlier or self.keep(key, people, text)
        if misdeed.endswith("lose"):
            return None
        if misdeed == "mix up":  # with the answer to somebody else, whose message came at the same time
            found = self.keep(f"of-another-{len(self.kept)}", frozenset({"12025550199"}), "Quite another message")
        return self._shown(found, seen, replay=earlier is found)

    def _asked(self, seen: Seen) -> tuple[str, str, frozenset[str]]:
        if seen.path.endswith("/chat_messages"):
            body = seen.body.decode()
            key, text = [
                body.partition(f'name="message[{name}]"\r\n\r\n')[2].partition("\r\n--")[0]
                for name in ("idempotency_key", "text")
            ]
            return key, text, self.chats[int(seen.path.split("/")[-2]) - 1]
        message = seen.json["message"]
        people = frozenset(canonical(number) for number in seen.json["chat"]["phone_numbers"])
        return message["idempotency_key"], message["text"], people

    def _earlier(self, key: str, people: frozenset[str]) -> Kept | None:
        for kept in self.kept if self.habits.keys != "ignored" else ():
            fits = self.habits.keys != "kept by recipient" or kept.people == people
            if kept.key == key and fits and self.knows(kept):
                return kept
        return None

    def knows(self, kept: Kept) -> bool:
        """Return whether the key of a message still leads to it."""
        return self.habits.keys != "kept for a minute" or self.clock.now - kept.at < 60

    def chat_of(self, people: frozenset[str]) -> int:
        """Return the id of the chat with these people."""
        if people not in self.chats:
            self.chats.append(people)
        return self.chats.index(people) + 1

    def keep(self, key: str, people: frozenset[str], text: str) -> Kept:
        """Store a message, now."""
        kept = Kept(len(self.kept) + 1, self.chat_of(people), key, people, text, self.clock.now)
        self.kept.append(kept)
        return kept

    def _shown(self, kept: Kept, seen: Seen, *, replay: bool) -> Reply:
        message: dict[str, Any] = {"id": kept.id, "text": self.habits.rewrite(kept.original), "attachments": []}
        if self.habits.sent_at:
            message["sent_at"] = (EPOCH + timedelta(seconds=kept.at + self.habits.skew)).isoformat()
        headers = {"Date": format_datetime(self._moment(), usegmt=True)} if self.habits.date else {}
        if seen.path.endswith("/chat_messages"):
            return replied({"data": message}, 200 if replay else 201, **headers)
        chat = {"id": kept.chat_id, "chat_handles": self._handles(kept), "chat_messages": message}
        return replied({"data": chat}, 200, **headers)

    def _moment(self) -> datetime:
        return (EPOCH + timedelta(seconds=self.clock.now)).replace(microsecond=0)

    def _handles(self, kept: Kept) -> list[dict[str, Any]]:
        spell = SPELLINGS.get(self.habits.handles, "+{}".format)
        shown = [] if self.habits.handles == "none" else [spell(one) for one in sorted(kept.people)]
        shown += [LINE] if self.habits.handles == "people and line" else []
        return [{"id": number, "phone_number": text} for number, text in enumerate(shown)]


def _respelled(number: str) -> str:
    return f"{number[0]} ({number[1:4]}) {number[4:7]}-{number[7:]}"


SPELLINGS: dict[str, Callable[[str], str]] = {
    "respelled": _respelled,
    "masked": lambda number: f"\u2026{number[-4:]}",
    "last digits": lambda number: number[-4:],
}


def canonical(number: str) -> str:
    """Return the digits of a number, with the country's."""
    digits = number.removeprefix("+")
    return digits if len(digits) == 11 else f"1{digits}"
