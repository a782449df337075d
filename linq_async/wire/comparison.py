"""Compare the message in a response with the one that was sent, and decide whether the server had it before.

A server may rewrite what it stores, so a difference alone proves nothing, and a stored message that is reported as not
sent would be sent twice. Known servers rewrite characters (case, spaces, quotes, normal forms, escapes, symbols),
replace links, truncate a text, and add words before or after it. None of them replaces one plain word with another.
Only such a replacement makes a text OTHER. A difference that a rewriting may explain is ALIKE.
"""

from __future__ import annotations

import enum
import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from linq_async.errors import Outcome
from linq_async.wire.http_date import parse_http_date

CLOCK_SLACK = 2.0
"""Seconds by which the clocks of ``sent_at`` and ``Date`` may differ."""
COMPARED = 8_000
"""The number of characters of a text that are compared."""
LONG_START = 60
"""If two texts share this many characters, one may be the other, truncated, with any words after it."""


class Likeness(enum.IntEnum):
    """How similar the message in a response is to the one that was sent."""

    SAME = 0
    """It does not differ."""
    ALIKE = 1
    """It differs, and a rewriting by the server explains it."""
    UNLIKE = 2
    """It differs, and a rewriting by the server is unlikely but possible."""
    OTHER = 3
    """It is another message."""


def verdict(likeness: Likeness, *, replayed: bool, may_be_ours: bool) -> Outcome | None:
    """Return the outcome of a call whose key belongs to another message, or None if the response is its result.

    ``replayed`` is whether the server had the message before the call. ``may_be_ours`` is whether an earlier attempt
    or call may have stored it, in which case its age proves nothing.
    """
    proven = replayed and not may_be_ours
    if likeness is Likeness.OTHER:
        return Outcome.NOT_SENT if proven else Outcome.UNKNOWN
    if likeness is Likeness.UNLIKE or (likeness is Likeness.ALIKE and proven):
        return Outcome.UNKNOWN
    return None


def stored_before(sent_at: datetime | None, date: str | None, elapsed: float) -> bool | None:
    """Return whether a message was stored before a call that took ``elapsed`` seconds, or None if it is unknown.

    Both times are the server's. ``Date`` has whole seconds and was set after the call began. So the call began at
    ``Date`` minus ``elapsed`` or later, and only an older message is certain to be from before it.
    """
    responded = None if sent_at is None or date is None else parse_http_date(date)
    if responded is None or sent_at is None:
        return None
    return (responded - sent_at).total_seconds() > elapsed + CLOCK_SLACK


def text_likeness(sent: str, shown: str | None) -> Likeness:
    """Compare a text with the one in a response, which is None if the response does not include it."""
    if shown is None or shown == sent:
        return Likeness.SAME
    ours, theirs = _normalized(sent[:COMPARED]), _normalized(shown[:COMPARED])
    if "".join(ours.split()) == "".join(theirs.split()):
        return Likeness.SAME if max(len(sent), len(shown)) <= COMPARED else Likeness.ALIKE
    return Likeness.ALIKE if _may_be_rewritten(_plain_start(ours), _plain_start(theirs)) else Likeness.OTHER


_QUOTES = str.maketrans("‘’‚‛′“”„‟″«»‐‑‒–—―−", "'" * 5 + '"' * 7 + "-" * 7)  # noqa: RUF001
_INVISIBLE = re.compile(r"[^\S\n\t ]|[\ufe00-\ufe0f\u034f\u115f\u1160\u3164\u180b-\u180d]")


def _normalized(text: str) -> str:
    """Undo the rewriting of characters, as far as possible."""
    text = html.unescape(html.unescape(_visible(text)))
    text = unicodedata.normalize("NFKC", text.replace("\u00b4", "'").replace("`", "'"))
    return _INVISIBLE.sub(" ", _visible(text).translate(_QUOTES)).casefold()


def _visible(text: str) -> str:
    """Return a text without control and format characters."""
    return "".join(char for char in text if char in " \n\t" or unicodedata.category(char) not in _UNPRINTED)


_UNPRINTED = {"Cc", "Cf", "Cn", "Co", "Cs"}
_ODD = re.compile(r"[^\x00-\x7f]|[\\/%&<>\[\]{}*_~`^|=@#]|[a-z0-9]\.[a-z]|xxx|^\(.*\)$|^:\w+:")
_WORD = re.compile(r"[a-z0-9]+")


def _plain_start(text: str) -> list[str]:
    """Return the words before the first one that may be a rewriting: of a link, a symbol, an escape or a masked word.

    A "?" is skipped, because a server puts it in the place of a character that it cannot store.
    """
    words: list[str] = []
    for token in text.split():
        if _ODD.search(token):
            break
        word = "".join(_WORD.findall(token))
        if word:
            words.append(word)
        if token.endswith("..."):  # truncated: any text may follow
            break
    return words


_ADDED = frozenset(
    {"stop", "unsubscribe", "optout", "opt", "out", "help", "msg", "msgs", "message", "rates"}
    | {"reply", "text", "txt", "sms", "more", "truncated", "cut", "sent", "via"}
)
"""Words that carriers and gateways add after a text."""


def _may_be_rewritten(ours: list[str], theirs: list[str]) -> bool:
    """Return whether the second text may be the first, truncated or with words before or after it."""
    whole, shown = "".join(ours), "".join(theirs)
    if not whole or not shown or whole in shown:
        return True
    if any(whole.startswith(end) for end in _ends(theirs)):
        return True
    if len(whole) >= LONG_START and whole[:LONG_START] in shown:
        return True
    added = next((index for index, word in enumerate(theirs) if word in _ADDED), None)
    if added is None or not _ADDED.isdisjoint(ours):
        return False
    return not added or ours[0] in theirs or any(whole.startswith(end) for end in _ends(theirs[:added]))


def _ends(words: list[str]) -> Iterator[str]:
    """Yield the words joined, starting at each of the first 100 and of the last 100."""
    count = len(words)
    for index in {*range(min(count, 100)), *range(max(count - 100, 0), count)}:
        yield "".join(words[index:])


_FILLING = re.compile(r"\(0\)|[\s().\-/]")
_DIGITS = re.compile(r"\+?[0-9]{3,20}", re.ASCII)
_TEN_DIGITS = re.compile(r"[2-9][0-9]{9}", re.ASCII)
_LONGEST_ADDRESS = 320
MOST_PARTICIPANTS = 1_000
"""Responses with more participants are not compared: no chat has as many."""
_SUBSCRIBER = 7
"""The number of digits at the end of a phone number that all its formats share."""


def address(text: object) -> str | None:
    """Return a phone number as digits with the country code, an email in lower case, or None for anything else."""
    if not isinstance(text, str) or len(text) > _LONGEST_ADDRESS:
        return None
    if text[:1] == "+" and _DIGITS.fullmatch(text):  # the common case
        return text[1:]
    text = unicodedata.normalize("NFKC", text).strip().casefold().removeprefix("tel:").removeprefix("mailto:")
    if "@" in text:
        return text
    number = _FILLING.sub("", text)
    if not _DIGITS.fullmatch(number):
        return None
    if _TEN_DIGITS.fullmatch(number):
        return f"1{number}"
    return number.removeprefix("+") if number.startswith("+") else number.removeprefix("00")


def missing_recipients(asked: Iterable[str], line: str, shown: Sequence[str | None]) -> tuple[str, ...]:
    """Return the recipients that are not among ``shown``; none if that is empty or contains something unreadable."""
    handles, own = _addresses(shown), address(line)
    if not handles:
        return ()
    people = {text: found for text in asked if (found := address(text)) not in {None, own}}
    absent = {found for found in people.values() if found is not None} - handles
    absent -= _near(absent, handles)
    return tuple(text for text, found in people.items() if found in absent)


def recipients_likeness(asked: Iterable[str], line: str, shown: Sequence[str | None]) -> Likeness:
    """Compare recipients with the participants of a chat, which may include the sender's number."""
    handles, own = _addresses(shown), address(line)
    people = {found for text in asked if (found := address(text)) is not None} - {own}
    if not handles or not people:
        return Likeness.SAME
    others = handles - {own}
    if people & others:
        alike = people <= others and len(others - people) <= 1  # one more may be another number of the sender
        return Likeness.SAME if alike else Likeness.ALIKE
    if _near(people, others):
        return Likeness.ALIKE
    comparable = others and {"@" in one for one in people} == {"@" in one for one in others}
    return Likeness.OTHER if comparable else Likeness.UNLIKE


def _addresses(shown: Sequence[str | None]) -> set[str]:
    """Return the normalized participants; none if one cannot be read or there are too many."""
    if len(shown) > MOST_PARTICIPANTS:
        return set()
    found = {address(text) for text in shown}
    return set() if None in found else {one for one in found if one is not None}


def _near(people: set[str], handles: set[str]) -> set[str]:
    """Return the people whose number may be one of the handles in another format."""
    by_end: dict[str, list[str]] = {}
    for handle in handles:
        by_end.setdefault(handle[-_SUBSCRIBER:], []).append(handle)
    return {one for one in people if any(_are_near(one, other) for other in by_end.get(one[-_SUBSCRIBER:], ()))}


def _are_near(one: str, other: str) -> bool:
    """Return whether two numbers with the same end may be one, without the country code or with an extra digit."""
    if "@" in one or "@" in other:
        return False
    if len(one) == len(other):
        return one[1:] == other[1:]
    short, long = sorted((one, other), key=len)
    return len(short) >= _SUBSCRIBER and (long.endswith(short.lstrip("0")) or short[:2] == long[:2])
