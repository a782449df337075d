"""linq_async/wire/comparison.py."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linq_async import Outcome
from linq_async.wire.comparison import (
    Likeness,
    address,
    recipients_likeness,
    stored_before,
    text_likeness,
    verdict,
)

LINE, MIRA, THEO = "+15175269229", "+13343284472", "+13344713465"
DATE = "Tue, 01 Jul 2025 12:00:00 GMT"
NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)
LONG = "We thank all who came to the summer party on Saturday and look forward to the next one; doors open at"


@pytest.mark.parametrize(
    ("sent", "shown", "likeness"),
    [
        ("Hello", None, "SAME"),
        ("It's", "It\u2019s", "SAME"),
        ("Hello  you", "hello you\n", "SAME"),
        ("Tom & Zo\u00eb", "Tom &amp;amp; Zoe\u0308", "SAME"),
        ("a\0b\u200bc", "abc", "SAME"),
        ("\u2764\ufe0f", "\u2764", "SAME"),
        ("caf\u00e9", "cafe", "ALIKE"),
        ("\U0001f44d", "\U0001f44e", "ALIKE"),
        ("Bye \U0001f44d", "Bye ?", "ALIKE"),
        ("Hello, you", "", "ALIKE"),
        ("Hello, you", "Hel", "ALIKE"),
        ("Hello, you there", "Hello, you t...", "ALIKE"),
        ("Hello, you", "Hello, you Reply STOP to opt out", "ALIKE"),
        ("Hello, you there", "Hello, yo Reply STOP to opt out", "ALIKE"),
        ("Hello, you there", "Acme: Hello, yo", "ALIKE"),
        ("Hello, you there", "Hel Reply STOP", "ALIKE"),
        ("Hello, you there", "Reply STOP to end", "ALIKE"),
        ("One more", "Two. Reply STOP to end", "OTHER"),
        ("Hello, you there", "Acme: Hello, yo Text STOP to end", "ALIKE"),
        ("See https://example.com/x now", "See lnk.example/1 now", "ALIKE"),
        ("Call 555-123-4567 now", "Call XXX-XXX-XXXX now", "ALIKE"),
        ("It's you", r"It\u2019s you", "ALIKE"),
        ("What the hell is it", "What the **** is it", "ALIKE"),
        (f"{LONG} nine.", f"{LONG} ten.", "ALIKE"),
        ("x" * 9_000, "x" * 9_001, "ALIKE"),
        ("\u041f\u0440\u0438\u0432\u0435\u0442", "??????", "ALIKE"),
        ("Could you help us pick a day?", "Could you help us pi Reply STOP to opt out", "ALIKE"),
        ("Text me at nine, or ten", "Acme: Text me at n Msg rates may apply", "ALIKE"),
        ("Please reply to me", "Please Reply STOP to opt out", "ALIKE"),
        ("Your code is 4711 enjoy", "Your code is ---- enjoy", "ALIKE"),
        ("Your code is 4711 enjoy", "Your code is .... enjoy", "ALIKE"),
        ("Your code is 4711 enjoy", "Your code is xxxx enjoy", "ALIKE"),
        ("Your code is 4711 enjoy", "Your code is \u2022\u2022\u2022\u2022 enjoy", "ALIKE"),
        ("4711 is your code", "---- is your code", "ALIKE"),
        ("4711 is your code", "-- is your code", "ALIKE"),
        ("4711 is your code", "Acme: ---- is your code", "ALIKE"),
        ("Call at 9 sharp", "Call at - sharp", "ALIKE"),
        ("Call at 9am sharp", "Call at -am sharp", "ALIKE"),
        ("Call at 9:30 sharp", "Call at -:-- sharp", "ALIKE"),
        ("That damn bus is late", "That d--- bus is late", "ALIKE"),
        ("That damn bus is late", "That d??? bus is late", "ALIKE"),
        ("That damn bus is late", "That d#mn bus is late", "ALIKE"),
        ("That damn bus is late", "That d-mn bus is late", "ALIKE"),
        ("Damn, the bus is late", "d---, the bus is late", "ALIKE"),
        ("We open at nine", "Acme | We open at nine", "ALIKE"),
        ("We open at nine", "Acme & Sons | We open at nine Reply STOP to end", "ALIKE"),
        ("We open at nine", "[Acme] We open at ni...", "ALIKE"),
        ("We open at nine", "Acme | We op", "UNLIKE"),
        ("Your code is 4711 enjoy", "Acme | Your code is ---- enjoy", "UNLIKE"),
        ("We open at nine", "Acme | We open at ten", "UNLIKE"),
        ("No", "Acme | Now we open", "UNLIKE"),
        ("We open at nine", "We open at ten | Acme", "OTHER"),
        ("One", "Two", "OTHER"),
        ("See you at nine.", "See you at ten.", "OTHER"),
        ("See you at nine \U0001f44d", "See you at ten \U0001f44d", "OTHER"),
        ("Your code is 4711", "Your code is 4712", "OTHER"),
        ("Reply STOP to end. Nine", "Reply STOP to end. Ten", "OTHER"),
        ("Hello!", "Bye!", "OTHER"),
        ("Help us out at nine", "Help us out at ten", "OTHER"),
        ("Could you help us pick a day?", "Text me at ten, not at nine", "OTHER"),
        ("Open Monday-Friday", "Open Saturday-Sunday", "OTHER"),
        ("Shall we meet at nine?", "Shall we meet at ten?", "OTHER"),
        ("Well -- see you at nine", "Well -- see you at ten", "OTHER"),
        ("Closed today", "Pre-order now", "OTHER"),
        ("Closed at nine", "We open - at nine", "OTHER"),
        ("d--- bus at nine", "d--- bus at ten", "OTHER"),
    ],
)
def test_texts(sent: str, shown: str | None, likeness: str) -> None:
    """Respelling leaves a text the same, other rewritings leave it alike, and another plain word makes it another."""
    assert text_likeness(sent, shown).name == likeness


@pytest.mark.parametrize(
    ("asked", "shown", "likeness"),
    [
        ([MIRA], [MIRA], "SAME"),
        (["3343284472"], ["1 (334) 328-4472"], "SAME"),
        (["Sam@Example.com"], ["mailto:sam@example.com"], "SAME"),
        ([MIRA], [MIRA, LINE], "SAME"),
        ([MIRA], [MIRA, "+12025550101"], "SAME"),
        ([MIRA], [MIRA, THEO, "+12025550101"], "ALIKE"),
        ([MIRA, THEO], [MIRA, LINE], "ALIKE"),
        (["0711 1234567"], ["+497111234567"], "ALIKE"),
        (["+5215512345678"], ["+525512345678"], "ALIKE"),
        (["+541112345678"], ["+5491112345678"], "ALIKE"),
        (["+551181234567"], ["+5511981234567"], "ALIKE"),
        (["+49301234567"], ["+490301234567"], "ALIKE"),
        (["+447911123456"], ["7911123456"], "ALIKE"),
        ([MIRA], ["\u20264472"], "ALIKE"),
        ([MIRA], ["4472"], "ALIKE"),
        ([MIRA], ["--------4472"], "ALIKE"),
        ([MIRA], ["+1334"], "ALIKE"),
        (["+49301234567 ext. 5", "someone"], ["+49301234567"], "ALIKE"),
        (["bob@example.com"], ["Bob <bob@example.com>"], "SAME"),
        ([MIRA], ["Mira <tel:+13343284472>"], "SAME"),
        (["72345"], ["72345"], "SAME"),
        (["\u202a+1 334 328 4472\u202c"], [MIRA], "SAME"),
        (["+1\u2011334\u2013328\u22124472"], [MIRA], "SAME"),
        (["+1334\u200b3284472"], [MIRA], "SAME"),
        (["+13343284472 ext. 5"], [MIRA], "SAME"),
        (["tel:+1-334-328-4472;ext=5"], [MIRA], "SAME"),
        (["334-328-4472x5"], [MIRA], "SAME"),
        ([MIRA], [], "SAME"),
        ([MIRA], [THEO, None], "SAME"),
        ([MIRA], [THEO, "someone"], "SAME"),
        ([MIRA], ["+1 334 328 ----"], "SAME"),
        ([MIRA], ["1334328447x2"], "SAME"),
        (["bob@example.com"], ["b--@example.com"], "SAME"),
        ([LINE], [THEO], "SAME"),
        ([MIRA], ["3465"], "UNLIKE"),
        (["someone"], [THEO], "UNLIKE"),
        (["someone", MIRA], [THEO], "UNLIKE"),
        ([MIRA], [LINE], "UNLIKE"),
        ([MIRA], ["sam@example.com"], "UNLIKE"),
        ([MIRA], [THEO], "OTHER"),
        ([MIRA], [THEO, LINE], "OTHER"),
        (["+12025550101"], ["+13015550101"], "OTHER"),
        (["+4915112345678"], ["+4915212345678"], "OTHER"),
        (["+49301234567"], ["+4915111234567"], "OTHER"),
        (["+390612345678"], ["+3902912345678"], "OTHER"),
        (["+551131234567"], ["+5511931234567"], "OTHER"),
        (["\u202a+1 334 328 4472\u202c"], [THEO], "OTHER"),
        (["+1\u2011334\u2013328\u22124472"], [THEO], "OTHER"),
        (["+13343284472 ext. 5"], [THEO], "OTHER"),
        (["ann@example.com"], ["sam@example.com"], "OTHER"),
    ],
)
def test_recipients(asked: list[str], shown: list[str | None], likeness: str) -> None:
    """Recipients are others only if all are legible and none could be meant; the own line may be among them."""
    assert recipients_likeness(asked, LINE, shown).name == likeness


@pytest.mark.parametrize(
    "value", ["", "someone", "+1 *** 4472", "1" * 400, None, 5, "12", "\u0661\u0662\u0663", "+1334 x5"]
)
def test_what_is_no_address(value: object) -> None:
    """What is neither a number nor an email address cannot be compared."""
    assert address(value) is None


@pytest.mark.parametrize(
    ("age", "elapsed", "before"),
    [(2.0, 0.0, False), (2.1, 0.0, True), (7.0, 5.0, False), (7.1, 5.0, True), (-9.0, 0.0, False)],
)
def test_stored_before(age: float, elapsed: float, before: bool) -> None:
    """A message is from before the call if it is older than the call and two seconds, by the server's clock."""
    assert stored_before(NOON - timedelta(seconds=age), DATE, elapsed) is before


@pytest.mark.parametrize(
    ("sent_at", "date"),
    [(None, DATE), (NOON, None), (NOON, ""), (NOON, "soon"), (NOON, "Tue, 01 Jul 99999 12:00:00 +99999999999999")],
)
def test_an_age_that_cannot_be_known(sent_at: datetime | None, date: str | None) -> None:
    """Without either time, or with a Date that cannot be read, the age is None."""
    assert stored_before(sent_at, date, 0.0) is None


@pytest.mark.parametrize(
    ("likeness", "replayed", "may_be_ours", "outcome"),
    [
        (Likeness.SAME, True, False, None),
        (Likeness.ALIKE, False, False, None),
        (Likeness.ALIKE, True, True, None),
        (Likeness.ALIKE, True, False, Outcome.UNKNOWN),
        (Likeness.UNLIKE, True, False, Outcome.UNKNOWN),
        (Likeness.UNLIKE, False, True, Outcome.UNKNOWN),
        (Likeness.OTHER, True, True, Outcome.UNKNOWN),
        (Likeness.OTHER, False, False, Outcome.UNKNOWN),
        (Likeness.OTHER, True, False, Outcome.NOT_SENT),
    ],
)
def test_verdicts(likeness: Likeness, replayed: bool, may_be_ours: bool, outcome: Outcome | None) -> None:
    """NOT_SENT takes another message that is older than the call, and that no earlier attempt may have stored."""
    assert verdict(likeness, replayed=replayed, may_be_ours=may_be_ours) is outcome


@settings(deadline=None)
@given(st.text(max_size=60), st.none() | st.text(max_size=60), st.text(max_size=30), st.text(max_size=40))
def test_anything_can_be_compared(sent: str, shown: str | None, number: str, date: str) -> None:
    """No text, number or date raises, a text is the same as itself, and a cut one is never another."""
    assert isinstance(text_likeness(sent, shown), Likeness)
    assert text_likeness(sent, sent) is Likeness.SAME
    assert text_likeness(sent, sent[: len(sent) // 2]) is not Likeness.OTHER
    assert isinstance(recipients_likeness([number], LINE, [shown]), Likeness)
    assert stored_before(NOON, date, 0.0) in {True, False, None}


@pytest.mark.timed
@pytest.mark.parametrize(
    "hostile",
    [
        "\u0315\u0300" * 400_000,
        "&" * 800_000,
        "a " * 400_000,
        "\ufdfa" * 400_000,
        "?" * 800_000,
        "stop " * 160_000,
        "- " * 400_000,
        "-x" * 400_000,
        "h-llo, you " * 80_000,
        "Hello, you " * 49 + "- stop " * 9_000,
        "Hello, you " * 49 + "h" * 9_000,
    ],
)
def test_a_hostile_text_takes_no_time(hostile: str) -> None:
    """A text of the size of the cap, made to be slow to compare, does not hold up the loop."""
    started = time.process_time()
    text_likeness("Hello, you " * 50, hostile)
    assert time.process_time() - started < 0.25


@pytest.mark.timed
def test_hostile_participants_take_no_time() -> None:
    """A list of participants as long as the cap allows, or of numbers that are all alike, does not hold up the loop."""
    people = [f"+49{n}3284472" for n in range(1_000, 1_200)]
    started = time.process_time()
    assert recipients_likeness([MIRA], LINE, [f"+4930{n}" for n in range(200_000)]) is Likeness.SAME
    assert recipients_likeness(people, LINE, [f"+33{n}3284472" for n in range(1_000, 2_000)]) is Likeness.OTHER
    assert recipients_likeness(people, LINE, [f"{n}" for n in range(500, 1_500)]) is Likeness.UNLIKE
    assert time.process_time() - started < 0.25


@pytest.mark.timed
@pytest.mark.parametrize(
    "hostile",
    ["; " * 160, ";ext" * 80, "<" * 320, "\ufdfa" * 320, "-@" * 160, "\u2010" * 300 + "+1334344", "a@" + "b" * 300],
)
def test_hostile_handles_take_no_time(hostile: str) -> None:
    """As many participants as are compared, each as long as an address may be, do not hold up the loop."""
    started = time.process_time()
    likeness = recipients_likeness([MIRA], LINE, [f"{hostile}{n}"[-320:] for n in range(1_000, 2_000)])
    assert likeness is not Likeness.ALIKE
    assert time.process_time() - started < 0.25


def test_too_many_participants_are_not_compared() -> None:
    """A response with more participants than a chat can have does not prove another message."""
    strangers = [f"+4930{n}" for n in range(10_000, 12_000)]
    assert recipients_likeness([MIRA], LINE, strangers) is Likeness.SAME
