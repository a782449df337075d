"""The derivation of reply keys, a public contract: an upgrade that changes a vector answers people a second time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linq_async import InvalidArgumentError
from linq_async.webhooks import (
    CallCompleted,
    ChatCreated,
    ContactCreated,
    ContactDeleted,
    ContactUpdated,
    MessageRead,
    MessageReceived,
    MessageSent,
    ParticipantAdded,
    ParticipantRemoved,
    ReactionReceived,
    ReactionSent,
    TypingIndicatorReceived,
    TypingIndicatorRemoved,
    WebhookEvent,
    parse,
)
from linq_async.webhooks.reply_keys import ReplyKeys, reply_key, subject_of, word_problems

from .samples import ISO, SAMPLES, envelope, sample_body

MESSAGE, CHAT = "message.received:900012", "chat:8102"
VECTORS = {
    ("bot", MESSAGE, CHAT, "1"): "re-934f6d5d63e323c1a942b851ff6a8a41",
    ("bot", MESSAGE, CHAT, "2"): "re-9bca21a65f3e92c8382cd13663693f2b",
    ("bot", MESSAGE, CHAT, "receipt"): "re-3f017c147522c588169a2ac127f53360",
    ("night-desk", MESSAGE, CHAT, "1"): "re-9908c86c247a0fb6a2003b3de67c4973",
    ("bot", MESSAGE, "people:+12025550101:+12025550111,+12025550112", "1"): "re-5c6282e00c6982bb5aa25d7d8b22b1ad",
    ("bot", "call.completed:3100", "people:+12025550101:+12025550111", "1"): "re-5bd29c6a0874e9e590518634e5a55339",
    ("bot", "reaction.received:302@2025-09-02T22:56:20+00:00", CHAT, "1"): "re-0fc5b8ab489e56cd62a601ef94e52969",
    ("bot", "typing_indicator.received:evt-\u00e9\u4e2d", CHAT, "1"): "re-813f914f57a90202b522c799185317bc",
}
ID, TIME = "5b6f3c52-7d0f-4b55-8f02-6f6a0f6f2a10", "2025-09-02T22:56:20+00:00"
SUBJECTS: dict[type[WebhookEvent], str] = {
    MessageSent: "message.sent:900012",
    MessageReceived: "message.received:900012",
    MessageRead: f"message.read:900012@{TIME}",
    CallCompleted: "call.completed:3100",
    ReactionSent: f"reaction.sent:302@{TIME}",
    ReactionReceived: f"reaction.received:302@{TIME}",
    TypingIndicatorReceived: f"typing_indicator.received:{ID}",
    TypingIndicatorRemoved: f"typing_indicator.removed:{ID}",
    ChatCreated: f"chat.created:{ID}",
    ContactCreated: "contact.created:7001",
    ContactUpdated: f"contact.updated:7001@{TIME}",
    ContactDeleted: "contact.deleted:7001",
    ParticipantAdded: f"participant.added:{ID}",
    ParticipantRemoved: f"participant.removed:{ID}",
}


@pytest.mark.parametrize("parts", VECTORS)
def test_the_vectors_of_the_contract(parts: tuple[str, str, str, str]) -> None:
    """The keys are those of docs/replies.md."""
    assert reply_key(*parts) == VECTORS[parts]


def test_the_documentation_has_the_same_vectors() -> None:
    """The tables of docs/replies.md are what the tests pin."""
    text = (Path(__file__).parents[2] / "docs" / "replies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(re-[0-9a-f]{32})` \| `(.+?)` \| `(.+?)` \| `(.+?)` \| `(.+?)` \|$", text, re.MULTILINE)
    assert {tuple(parts): key for key, *parts in rows} == VECTORS
    kinds = dict(re.findall(r"^\| (`\w+\.\w+`.*) \| `\{event_type\}:\{data\.id\}(.*)` \|$", text, re.MULTILINE))
    documented = {name: suffix for names, suffix in kinds.items() for name in re.findall(r"`(.+?)`", names)}
    timed = {name for name, suffix in documented.items() if suffix}
    pinned = {kind: subject.partition(":")[2] for kind, subject in SUBJECTS.items()}
    assert timed == {SAMPLES[kind][0] for kind, what in pinned.items() if "@" in what}
    assert documented.keys() == {SAMPLES[kind][0] for kind, what in pinned.items() if what != ID}


@given(st.tuples(*[st.text(max_size=40)] * 4))
def test_any_parts_make_a_valid_key(parts: tuple[str, str, str, str]) -> None:
    """A key has the characters that the API accepts, whatever it is derived from."""
    assert re.fullmatch(r"re-[0-9a-f]{32}", reply_key(*parts))
    assert reply_key("bot", "\ud800", CHAT, "1") != reply_key("bot", "\ud801", CHAT, "1")


@pytest.mark.parametrize("kind", SAMPLES)
def test_what_each_event_reports(kind: type[WebhookEvent]) -> None:
    """The subject is the id of what is reported once, with a time for what may be repeated; else the event's own id."""
    assert subject_of(parse(sample_body(kind))) == SUBJECTS[kind]


def _event(event_type: str, data: Any = None, event_id: str = ID) -> WebhookEvent:
    return parse(json.dumps(envelope(event_type, data, event_id=event_id)))


@pytest.mark.parametrize("kind", [MessageReceived, MessageRead, CallCompleted, ReactionReceived, ContactUpdated])
def test_two_subscriptions_report_one_subject(kind: type[WebhookEvent]) -> None:
    """The same message under another event id, with its id as a number and its time in another zone, is the same."""
    event_type, data = SAMPLES[kind]
    again = {**data, "id": int(data["id"])}
    again.update({name: "2025-09-02T22:56:20Z" for name in ("read_at", "sent_at", "updated_at") if name in data})
    assert subject_of(_event(event_type, again, "evt-2")) == SUBJECTS[kind]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-12:00"])
def test_the_ends_of_time_have_a_subject(time: str) -> None:
    """A time that cannot be expressed in UTC is a part of the subject as it is."""
    change = _event("contact.updated", {"id": 7001, "updated_at": time})
    assert subject_of(change) == f"contact.updated:7001@{time}"


def test_what_happens_again_is_another_subject() -> None:
    """A second change of a contact is not the first, and neither is one without a time; an unknown event has its id."""
    times = [ISO, ISO.replace(":20-", ":21-"), None]
    changes = {subject_of(_event("contact.updated", {"id": 7001, "updated_at": time})) for time in times}
    assert len(changes) == 3
    assert "contact.updated:7001@" in changes
    assert subject_of(_event("poll.closed", {"id": 5})) == f"poll.closed:{ID}"


def _keys() -> ReplyKeys:
    return ReplyKeys("bot", MESSAGE)


def test_replies_are_counted_for_each_target() -> None:
    """Replies to a target are numbered from 1 in each run, whatever is sent to others, and named ones do not count."""
    keys = _keys()
    with keys.step(CHAT, "receipt") as receipt:
        made = [keys(CHAT), keys("chat:9"), keys(CHAT)]
    ninth = reply_key("bot", MESSAGE, "chat:9", "1")
    assert [receipt, *made] == [VECTORS["bot", MESSAGE, CHAT, "receipt"], *_first_two()[:1], ninth, _first_two()[1]]
    assert _keys()(CHAT) == made[0]
    assert "8102" not in repr(keys)


TARGETS = [CHAT, "chat:9", "people:+12025550101:+12025550111"]
plans = st.lists(st.tuples(st.sampled_from(TARGETS), st.none() | st.sampled_from(["receipt", "menu"])), max_size=12)


def _run(plan: list[tuple[str, str | None]]) -> list[str]:
    """Return the keys of a run that sends to each target of a plan, with or without a step."""
    keys, made = _keys(), list[str]()
    for target, step in plan:
        if step is None:
            made.append(keys(target))
        else:
            with keys.step(target, step) as key:
                made.append(key)
    return made


@given(plans.map(lambda plan: [entry for n, entry in enumerate(plan) if entry[1] is None or entry not in plan[:n]]))
def test_a_run_that_was_cut_short_is_continued(plan: list[tuple[str, str | None]]) -> None:
    """Each send has a key of its own; a run that ends early has made the first ones, whatever order its targets had."""
    made = _run(plan)
    assert len(set(made)) == len(plan)
    assert [_run(plan[:end]) for end in range(len(plan))] == [made[:end] for end in range(len(plan))]
    assert set(_run(sorted(plan, key=lambda entry: entry[0]))) == set(made)


def _first_two() -> list[str]:
    return [VECTORS["bot", MESSAGE, CHAT, step] for step in "12"]


def test_a_step_belongs_to_one_reply() -> None:
    """A step is refused while another reply has it; one that failed gives it back, and other targets have their own."""
    keys = _keys()
    with pytest.raises(KeyError), keys.step(CHAT, "receipt"):
        raise KeyError
    with keys.step(CHAT, "receipt"), keys.step("chat:9", "receipt"), keys.step(CHAT, "menu"):
        pass
    with pytest.raises(InvalidArgumentError, match="used by another reply"), keys.step(CHAT, "menu"):
        raise AssertionError("entered")


def test_a_burst_has_the_keys_of_its_last_event() -> None:
    """A run with one more event has new keys, so that event is answered; a second copy of an event changes nothing."""
    first, second = [_event("message.received", {"id": n, "chat_id": 8102}, f"evt-{n}") for n in (1, 2)]
    copy = _event("message.received", {"id": 1, "chat_id": 8102}, "evt-3")
    keys = ReplyKeys("bot", subject_of(first))
    alone = keys(CHAT)
    keys.also_answers(copy)
    assert keys(CHAT) == reply_key("bot", "message.received:1", CHAT, "2")
    keys.also_answers(second)
    keys.also_answers(copy)
    assert keys(CHAT) == ReplyKeys("bot", subject_of(second))(CHAT) != alone


@pytest.mark.parametrize("word", ["receipt", "a", "B-2_c", "x" * 64])
def test_words(word: str) -> None:
    """Names and steps are a letter, and letters, digits, hyphens and underscores after it."""
    assert word_problems("step", word) == []


@pytest.mark.parametrize("word", ["", "1", "-a", "a b", "a\0", "\u00e9", "a\n", "x" * 65, 5, None])
def test_what_is_no_word(word: object) -> None:
    """Anything else is refused, a number above all: it is what a reply without a step has."""
    assert [problem.argument for problem in word_problems("step", word)] == ["step"]
