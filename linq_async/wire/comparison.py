"""Whether the message that an answer shows is the one that was sent, and whether the server had it before.

A server may respell what it stores, so a difference alone proves nothing; and calling a stored message "not sent" would
have it sent twice. The rewritings that servers are known for respell characters (case, spaces, quotes, normal forms,
escapes, symbols), replace links, cut a text, and put words before or behind it. None of them exchanges one plain
word for another. Only such an exchange makes a text OTHER; whatever a rewriting might explain is ALIKE.
"""

from __future__ import annotations

import enum
import functools
import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from linq_async.errors import Outcome

CLOCK_SLACK = 2.0
"""Seconds by which the clock of ``sent_at`` and that of ``Date`` may differ."""
COMPARED = 8_000
"""Characters of a text that are compared; a longer one can be cleared of nothing but its beginning."""
LONG_START = 60
"""Characters that two texts must share before one may be the other, cut, with anything behind it."""


class Likeness(enum.IntEnum):
    """How much of what an answer shows can be what was sent."""

    SAME = 0
    """Nothing speaks against it."""
    ALIKE = 1
    """A rewriting of the server's would explain the difference."""
    UNLIKE = 2
    """It is hard to explain, and cannot be excluded."""
    OTHER = 3
    """It is something else."""


def verdict(likeness: Likeness, *, replayed: bool, may_be_ours: bool) -> Outcome | None:
    """Return the outcome of a call whose key belongs to another message; None if the answer is taken for its result.

    ``replayed`` says that the server had the message before the call. ``may_be_ours`` says that an earlier attempt or
    call may have stored it: then nothing is proven by its age.
    """
    proven = replayed and not may_be_ours
    if likeness is Likeness.OTHER:
        return Outcome.NOT_SENT if proven else Outcome.UNKNOWN
    if likeness is Likeness.UNLIKE or (likeness is Likeness.ALIKE and proven):
        return Outcome.UNKNOWN
    return None


def stored_before(sent_at: datetime | None, date: str | None, elapsed: float) -> bool | None:
    """Return whether a message was stored before a call that took ``elapsed`` seconds; None if that cannot be known.

    Both times are the server's. ``Date`` is cut to whole seconds, and was written after the call began: so the call
    began at ``Date`` less ``elapsed`` at the earliest, and only what is older still is certain to be from before.
    """
    answered = None if sent_at is None or date is None else _moment(date)
    if answered is None or sent_at is None:
        return None
    return (answered - sent_at).total_seconds() > elapsed + CLOCK_SLACK


@functools.lru_cache(maxsize=8)  # all answers of one second have the same
def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment  # "-0000": UTC, by the mail standard


def text_likeness(sent: str, shown: str | None) -> Likeness:
    """Compare a text with the one that an answer shows; None is what an answer shows that says nothing of it."""
    if shown is None or shown == sent:
        return Likeness.SAME
    ours, theirs = _respelled(sent[:COMPARED]), _respelled(shown[:COMPARED])
    if "".join(ours.split()) == "".join(theirs.split()):
        return Likeness.SAME if max(len(sent), len(shown)) <= COMPARED else Likeness.ALIKE
    return Likeness.ALIKE if _explained(_plain_start(ours), _plain_start(theirs)) else Likeness.OTHER


_QUOTES = str.maketrans("‘’‚‛′“”„‟″«»‐‑‒–—―−", "'" * 5 + '"' * 7 + "-" * 7)  # noqa: RUF001
_INVISIBLE = re.compile(r"[^\S\n\t ]|[\ufe00-\ufe0f\u034f\u115f\u1160\u3164\u180b-\u180d]")


def _respelled(text: str) -> str:
    """Undo what respelling does to a text, as far as it can be undone."""
    text = html.unescape(html.unescape(_seen(text)))
    text = unicodedata.normalize("NFKC", text.replace("\u00b4", "'").replace("`", "'"))
    return _INVISIBLE.sub(" ", _seen(text).translate(_QUOTES)).casefold()


def _seen(text: str) -> str:
    """Return a text without the characters that show nothing."""
    return "".join(char for char in text if char in " \n\t" or unicodedata.category(char) not in _UNSEEN)


_UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs"}
_ODD = re.compile(r"[^\x00-\x7f]|[\\/%&<>\[\]{}*_~`^|=@#]|[a-z0-9]\.[a-z]|xxx|^\(.*\)$|^:\w+:")
_WORD = re.compile(r"[a-z0-9]+")


def _plain_start(text: str) -> list[str]:
    """Return the words up to the first that may have been something else: a link, a symbol, an escape, a mask.

    A "?" that a server puts for what it cannot spell is skipped: plain words of ours have nothing to put it for.
    """
    words: list[str] = []
    for token in text.split():
        if _ODD.search(token):
            break
        word = "".join(_WORD.findall(token))
        if word:
            words.append(word)
        if token.endswith("..."):  # a cut, behind which anything may follow
            break
    return words


_ADDED = frozenset(
    {"stop", "unsubscribe", "optout", "opt", "out", "help", "msg", "msgs", "message", "rates"}
    | {"reply", "text", "txt", "sms", "more", "truncated", "cut", "sent", "via"}
)
"""Words of what carriers and gateways put behind a text."""


def _explained(ours: list[str], theirs: list[str]) -> bool:
    """Tell whether the second may be the first, cut or with words put before or behind it."""
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
    """Yield the words joined, from each of the first hundred and of the last hundred on."""
    count = len(words)
    for index in {*range(min(count, 100)), *range(max(count - 100, 0), count)}:
        yield "".join(words[index:])


_FILLING = re.compile(r"\(0\)|[\s().\-/]")
_DIGITS = re.compile(r"\+?[0-9]{3,20}", re.ASCII)
_TEN_DIGITS = re.compile(r"[2-9][0-9]{9}", re.ASCII)
_LONGEST_ADDRESS = 320
MOST_PARTICIPANTS = 1_000
"""Participants beyond which an answer is not compared: no chat has as many."""
_SUBSCRIBER = 7
"""How many digits at the end of a number stay, however it is written."""


def address(text: object) -> str | None:
    """Return a phone number as its digits, with its country's, or an email in lower case; None if it is neither."""
    if not isinstance(text, str) or len(text) > _LONGEST_ADDRESS:
        return None
    if text[:1] == "+" and _DIGITS.fullmatch(text):  # nearly always
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
    """Return the recipients that are not among the shown; none if these cannot be read, or nobody is shown."""
    handles, own = _addresses(shown), address(line)
    if not handles:
        return ()
    people = {text: found for text in asked if (found := address(text)) not in {None, own}}
    absent = {found for found in people.values() if found is not None} - handles
    absent -= _near(absent, handles)
    return tuple(text for text, found in people.items() if found in absent)


def recipients_likeness(asked: Iterable[str], line: str, shown: Sequence[str | None]) -> Likeness:
    """Compare recipients with the participants of a chat, among whom the own line may be."""
    handles, own = _addresses(shown), address(line)
    people = {found for text in asked if (found := address(text)) is not None} - {own}
    if not handles or not people:
        return Likeness.SAME
    others = handles - {own}
    if people & others:
        alike = people <= others and len(others - people) <= 1  # one more may be a line of the token's
        return Likeness.SAME if alike else Likeness.ALIKE
    if _near(people, others):
        return Likeness.ALIKE
    comparable = others and {"@" in one for one in people} == {"@" in one for one in others}
    return Likeness.OTHER if comparable else Likeness.UNLIKE


def _addresses(shown: Sequence[str | None]) -> set[str]:
    """Return the participants that an answer shows; nobody if one of them cannot be read, or there are too many."""
    if len(shown) > MOST_PARTICIPANTS:
        return set()
    found = {address(text) for text in shown}
    return set() if None in found else {one for one in found if one is not None}


def _near(people: set[str], handles: set[str]) -> set[str]:
    """Return the people whose number, written otherwise, may be one of the handles."""
    by_end: dict[str, list[str]] = {}
    for handle in handles:
        by_end.setdefault(handle[-_SUBSCRIBER:], []).append(handle)
    return {one for one in people if any(_are_near(one, other) for other in by_end.get(one[-_SUBSCRIBER:], ()))}


def _are_near(one: str, other: str) -> bool:
    """Tell whether two numbers with the same end may be one: without its country, or with a digit that some add."""
    if "@" in one or "@" in other:
        return False
    if len(one) == len(other):
        return one[1:] == other[1:]
    short, long = sorted((one, other), key=len)
    return len(short) >= _SUBSCRIBER and (long.endswith(short.lstrip("0")) or short[:2] == long[:2])
