"""Compare the message in a response with the one that was sent, and decide whether the server had it before.

A server may rewrite what it stores, so a difference alone proves nothing, and a stored message that is reported as not
sent would be sent twice. Known servers rewrite characters (case, spaces, quotes, normal forms, escapes, symbols),
replace links, truncate a text, and add words before or after it. None of them replaces one plain word with another.
Only such a replacement makes a text OTHER. A difference that a rewriting may explain is ALIKE.
"""

from __future__ import annotations

import enum
import importlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

from linq_async.errors import Outcome
from linq_async.wire.http_date import parse_http_date

CLOCK_SLACK = 2.0
"""Seconds by which the clocks of ``sent_at`` and ``Date`` may differ."""
COMPARED = 8_000
"""The number of characters of a text that are compared."""
LONG_START = 60
"""If two texts share this many characters, one may be the other, truncated, with any words after it."""


def prepare() -> None:
    """Import html, which takes long, before the first send and not with the package."""
    importlib.import_module("html")


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

    ``replayed`` is whether the server had the message before the call. ``may_be_ours`` is whether an earlier call,
    or an attempt of this one, may have stored it, in which case its being there proves nothing.
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
    tokens = theirs.split()
    start, shown_start = _plain_start(ours), _plain_start(theirs)
    words, all_shown = [word for word in map(_word, start) if word], [word for word in map(_word, tokens) if word]
    if _may_be_rewritten(start, shown_start) or any(
        all_shown[at : at + len(words)] == words for at in _starts(len(all_shown))
    ):
        return Likeness.ALIKE
    # A signature may precede a symbol: then our text may follow it, truncated or masked.
    may_follow = len(shown_start) < len(tokens) and words[0] not in map(_word, shown_start)
    return Likeness.UNLIKE if may_follow else Likeness.OTHER


_QUOTES = str.maketrans("‘’‚‛′“”„‟″«»‐‑‒–—―−", "'" * 5 + '"' * 7 + "-" * 7)  # noqa: RUF001
_INVISIBLE = re.compile(r"[^\S\n\t ]|[\ufe00-\ufe0f\u034f\u115f\u1160\u3164\u180b-\u180d]")


def _normalized(text: str) -> str:
    """Undo the rewriting of characters, as far as possible."""
    from html import unescape

    text = unescape(unescape(_visible(text)))
    text = unicodedata.normalize("NFKC", text.replace("\u00b4", "'").replace("`", "'"))
    return _INVISIBLE.sub(" ", _visible(text).translate(_QUOTES)).casefold()


def _visible(text: str) -> str:
    """Return a text without control and format characters."""
    return "".join(char for char in text if char in " \n\t" or unicodedata.category(char) not in _UNPRINTED)


_UNPRINTED = {"Cc", "Cf", "Cn", "Co", "Cs"}
_ODD = re.compile(r"[^\x00-\x7f]|[\\/%&<>\[\]{}*_~`^|=@#]|[a-z0-9]\.[a-z]|xxx|^\(.*\)$|^:\w+:")
_WORD = re.compile(r"[a-z0-9]+")


def _plain_start(text: str) -> list[str]:
    """Return the tokens before the first that may be a rewriting: of a link, a symbol, an escape or a masked word."""
    tokens: list[str] = []
    for token in text.split():
        if _ODD.search(token):
            break
        tokens.append(token)
        if token.endswith("..."):  # truncated: any text may follow
            break
    return tokens


def _word(token: str) -> str:
    """Return the letters and digits of a token, without a "?" that replaces what the server cannot store."""
    return "".join(_WORD.findall(token))


_ADDED = frozenset(
    {"stop", "unsubscribe", "optout", "opt", "out", "help", "msg", "msgs", "message", "rates"}
    | {"reply", "text", "txt", "sms", "more", "truncated", "cut", "sent", "via"}
)
"""Words that carriers and gateways add after a text."""


def _may_be_rewritten(sent: list[str], shown: list[str]) -> bool:
    """Return whether the second text may be the first: truncated, masked, or with words before or after it."""
    ours, theirs = [word for word in map(_word, sent) if word], [word for word in map(_word, shown) if word]
    whole, all_shown = "".join(ours), "".join(theirs)
    if not whole or not all_shown or whole in all_shown:
        return True
    if len(whole) >= LONG_START and whole[:LONG_START] in all_shown:
        return True
    if any(whole.startswith("".join(theirs[start:])) for start in _starts(len(theirs))):
        return True
    own = frozenset(sent)
    if any(_breaks_off(whole, own, shown, start) for start in _starts(len(shown))):
        return True
    return _ADDED.isdisjoint(ours) and (theirs[0] in _ADDED or (ours[0] in theirs and not _ADDED.isdisjoint(theirs)))


def _starts(count: int) -> set[int]:
    """Return the indices of the first 100 and of the last 100 of so many tokens."""
    return {*range(min(count, 100)), *range(max(count - 100, 0), count)}


def _breaks_off(whole: str, own: frozenset[str], shown: list[str], start: int) -> bool:
    """Return whether a text, read from one token on, follows ours up to a mask or up to what a carrier adds."""
    position = 0
    for index in range(start, len(shown)):
        token, word = shown[index], _word(shown[index])
        if token not in own and _MASKS.search(token):
            following = _word(shown[index + 1]) if index + 1 < len(shown) else ""
            if _is_masked(token, whole, position, following, first=index == 0):
                return True
        if not whole.startswith(word, position):
            return position > 0 and word in _ADDED
        position += len(word)
    return False


_MASKS = re.compile(r"[-?]|\.\.|xx|^[.x]$")
_RUN = re.compile(r"[-.?]{2}|xx|^[-.?x]$")


def _is_masked(token: str, whole: str, position: int, following: str, *, first: bool) -> bool:
    """Return whether a token may hide the word that our text has at a position.

    After a start that both texts share, a run of masks is enough. Without one, the rest of the token must be ours, or
    the word that follows it.
    """
    token = token.rstrip(".") if token.endswith("...") else token
    run = _RUN.search(token) is not None
    if run and position:
        return True
    if not token.strip("-.?x"):
        return following != "" and (whole.startswith(following, len(token)) or (first and following in whole))
    hidden = "-.?x" if run else "-?"
    chars = [char for char in token.rstrip(".,;:!?") if char.isalnum() or char in hidden]
    if not any(char in hidden for char in chars) or len(chars) > len(whole) - position:
        return False
    return all(char in hidden or char == whole[position + at] for at, char in enumerate(chars))


_FILLING = re.compile(r"\(0\)|[\s().\-/]")
_DIGITS = re.compile(r"\+?[0-9]{3,20}", re.ASCII)
_TEN_DIGITS = re.compile(r"[2-9][0-9]{9}", re.ASCII)
_FULL_NANP = re.compile(r"(?:\+?1)?[2-9][0-9]{9}", re.ASCII)
_EMAIL = re.compile(r"(?!.*(?:\.\.|--|xxx))[^\s@*#?<>\u2022]+@[^\s@*#?<>\u2022]+")
_NAMED = re.compile(r"[^<>]*<([^<>]*)>")
_EXTENSION = re.compile(r"[\s;,]{0,3}(?:ext(?:ension|n)?|[x#])[\s.:=]*[0-9]{1,7}\Z", re.ASCII)
_LONGEST_ADDRESS = 320
MOST_PARTICIPANTS = 1_000
"""Responses with more participants are not compared: no chat has as many."""
_SUBSCRIBER = 7
"""The number of digits at the end of a phone number that all its formats share."""


def address(text: object) -> str | None:
    """Return a phone number as digits with the country code, an email in lower case, or None for anything else.

    The extension of a number is left out: a text goes to the number.
    """
    if not isinstance(text, str) or len(text) > _LONGEST_ADDRESS:
        return None
    if text[:1] == "+" and _DIGITS.fullmatch(text):  # the common case
        return text[1:]
    plain = _visible(unicodedata.normalize("NFKC", text)[:_LONGEST_ADDRESS]).strip().casefold()
    if named := _NAMED.fullmatch(plain):
        plain = named.group(1).strip()
    plain = plain.removeprefix("tel:").removeprefix("mailto:")
    if "@" in plain:
        return plain if _EMAIL.fullmatch(plain) else None
    dashed = "".join("-" if char == "\u2212" or unicodedata.category(char) == "Pd" else char for char in plain)
    found = _EXTENSION.search(dashed)
    main = (dashed[: found.start()] if found else dashed).lstrip("-.")  # what is left of a number with a masked start
    number = _FILLING.sub("", main)
    if "--" in main or ".." in main or not _DIGITS.fullmatch(number):  # repeated, they mask digits
        return None
    if found and not (_FULL_NANP.fullmatch(number) or (len(number) >= _WITH_AREA and found[0][0] not in "x#")):
        return None  # an "x" or "#" between digits may mask one
    if _TEN_DIGITS.fullmatch(number):
        return f"1{number}"
    return number.removeprefix("+") if number.startswith("+") else number.removeprefix("00")


_WITH_AREA = 10
"""The fewest digits of a number before an extension."""


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
    read = {address(text) for text in asked}
    people, others = {found for found in read if found is not None} - {own}, handles - {own}
    unread = None in read
    if not handles or not (people or unread):
        return Likeness.SAME
    if people & others:
        alike = people <= others and len(others - people) <= 1  # one more may be another number of the sender
        return Likeness.SAME if alike and not unread else Likeness.ALIKE
    if _near(people, others):
        return Likeness.ALIKE
    comparable = others and {"@" in one for one in people} == {"@" in one for one in others}
    masked = any(len(one) < _SUBSCRIBER for one in others if "@" not in one)
    return Likeness.OTHER if comparable and not unread and not masked else Likeness.UNLIKE


def _addresses(shown: Sequence[str | None]) -> set[str]:
    """Return the normalized participants; none if one cannot be read or there are too many."""
    if len(shown) > MOST_PARTICIPANTS:
        return set()
    found: set[str] = set()
    for text in shown:
        handle = address(text)
        if handle is None:
            return set()
        found.add(handle)
    return found


def _near(people: set[str], handles: set[str]) -> set[str]:
    """Return the people whose number may be one of the handles in another format."""
    by_end: dict[str, list[str]] = {}
    for handle in handles:
        by_end.setdefault(handle[-_SUBSCRIBER:], []).append(handle)
    near = {one for one in people if any(_are_near(one, other) for other in by_end.get(one[-_SUBSCRIBER:], ()))}
    parts = tuple(handle for handle in handles if "@" not in handle)  # the other digits may be masked
    return near | {one for one in people if "@" not in one and (one.endswith(parts) or one.startswith(parts))}


def _are_near(one: str, other: str) -> bool:
    """Return whether two numbers with the same end may be one, without the country code or with a known extra digit."""
    if "@" in one or "@" in other:
        return False
    if len(one) == len(other):
        return one[1:] == other[1:]
    short, long = sorted((one, other), key=len)
    if len(short) < _SUBSCRIBER:
        return False
    national = short[1:] if len(short) == 11 and short[0] == "1" else short  # "1" was added to ten digits
    if long.endswith((short.lstrip("0"), national)):
        return True
    added = [at for at in (1, 2, 3) if long[at] == "0"]  # the trunk 0, after the country code
    added += [2] if long.startswith(("521", "549")) else []
    added += [4] if _BRAZILIAN_MOBILE.fullmatch(long) else []
    return any(long[:at] + long[at + 1 :] == short for at in added)


_BRAZILIAN_MOBILE = re.compile(r"55[0-9]{2}9[6-9][0-9]{7}")
