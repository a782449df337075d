"""The idempotency keys of replies, derived from the event that they answer. docs/replies.md is their contract.

An event may be run again: after a crash, a redelivery or an error. Its replies then have the same keys, so that the
server stores each of them once.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime

import attrs

from linq_async.errors import InvalidArgumentError, Problem
from linq_async.models.outgoing import DerivedKey
from linq_async.webhooks.events import (
    CallCompleted,
    ContactCreated,
    ContactDeleted,
    ContactUpdated,
    Event,
    MessageRead,
    MessageReceived,
    MessageSent,
    ReactionReceived,
    ReactionSent,
)

_WORD = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}")


def reply_key(name: str, subject: str, target: str, step: str) -> DerivedKey:
    """Return the key of a reply: the bot's name, what it answers, whom it goes to, and which of several it is."""
    parts = "\0".join((name, subject, target, step))
    return DerivedKey(f"re-{hashlib.sha256(parts.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}")


def subject_of(event: Event) -> str:
    """Return what an event reports, which is the same if two subscriptions report it under two event ids.

    A message, a call and the creation of a contact are reported once. What may happen to one id several times is told
    apart by its time. Other events are known by the event's own id only.
    """
    match event:
        case MessageSent() | MessageReceived() | CallCompleted() | ContactCreated() | ContactDeleted():
            what = str(event.data.id)
        case MessageRead():
            what = f"{event.data.id}@{_utc(event.data.read_at)}"
        case ReactionSent() | ReactionReceived():
            what = f"{event.data.id}@{_utc(event.data.sent_at)}"
        case ContactUpdated():
            what = f"{event.data.id}@{_utc(event.data.updated_at)}"
        case _:
            what = event.event_id
    return f"{event.event_type}:{what}"


def _utc(moment: datetime | None) -> str:
    if moment is None:
        return ""
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError:  # in the first or the last day that a datetime can be
        return moment.isoformat()


def word_problems(argument: str, word: object) -> list[Problem]:
    """Check the name of a bot or of a step. It begins with a letter, because a reply without a step has a number."""
    if isinstance(word, str) and _WORD.fullmatch(word):
        return []
    return [Problem(argument, "must be a letter, and up to 63 letters, digits, '-' or '_' after it")]


@attrs.define(eq=False)
class ReplyKeys:
    """Makes the keys of the replies of one run. Replies without a step are counted, separately for each target."""

    _name: str
    _subject: str
    _subjects: set[str] = attrs.field(init=False, repr=False)
    _counts: Counter[tuple[str, str]] = attrs.field(init=False, repr=False, factory=Counter[tuple[str, str]])
    _steps: set[str] = attrs.field(init=False, repr=False, factory=set[str])

    def __attrs_post_init__(self) -> None:
        self._subjects = {self._subject}

    def __call__(self, target: str) -> DerivedKey:
        """Return the key of the next reply to a target. It is the key source of the client in a ``Context``."""
        self._counts[self._subject, target] += 1
        return reply_key(self._name, self._subject, target, str(self._counts[self._subject, target]))

    def also_answers(self, event: Event) -> None:
        """Derive the keys of further replies from another event, which they answer as well.

        A run that finds a new event in the burst has new keys, because its reply is the first to answer that event. A
        run that finds only the last one has the same keys.
        """
        subject = subject_of(event)
        if subject not in self._subjects:
            self._subjects.add(subject)
            self._subject = subject

    @contextmanager
    def step(self, target: str, step: str) -> Generator[DerivedKey]:
        """Hold a step while its reply is sent, and yield the key. A reply that has failed may be repeated.

        Raises:
            InvalidArgumentError: If the step is used by another reply of this run.
        """
        key = reply_key(self._name, self._subject, target, step)
        if key in self._steps:
            raise InvalidArgumentError([_STEP_REUSED], operation="reply")
        self._steps.add(key)
        try:
            yield key
        except BaseException:
            self._steps.discard(key)
            raise


_STEP_REUSED = Problem("step", "was used by another reply to this event: each reply needs its own step")
