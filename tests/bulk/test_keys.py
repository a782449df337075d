"""linq_async/bulk/keys.py: what identifies a message, and which line sends it."""

from __future__ import annotations

import re
from collections import Counter

from linq_async.bulk import idempotency_key, line_of
from tests.bulk.world import number

LINES = ["+15175269229", "+12025550101", "+12025550102", "+12025550103"]


def test_a_key_does_not_change() -> None:
    """A key is the same in every release: a resumed run depends on it."""
    assert idempotency_key("may", "+13343284472") == "c0860d5323b6a04c2b28ac06ed2f5979e78eb92e"
    assert idempotency_key("may", "+13343284472", "order-7", 1) == "e5624cc4ddd735dc5c88a40afa59a1ecb04a67fd"


def test_each_part_changes_the_key() -> None:
    """Campaign, recipient, row id and repetition make different keys, also if the same characters are divided."""
    parts = [("a", "b", "c", 0), ("ab", "", "c", 0), ("a", "bc", "", 0), ("", "ab", "c", 0), ("a", "b", "c", 1)]
    keys = [idempotency_key(*part) for part in parts]
    assert len(set(keys)) == len(parts)
    assert [key for key in keys if not re.fullmatch(r"[0-9a-f]{40}", key)] == []


def test_a_recipient_keeps_the_line() -> None:
    """The line of a recipient does not depend on the order, and the lines are used about equally."""
    people = [number(n) for n in range(2_000)]
    chosen = {person: line_of(person, LINES) for person in people}
    assert chosen == {person: line_of(person, LINES[::-1]) for person in people}
    assert set(Counter(chosen.values())) == set(LINES)
    assert min(Counter(chosen.values()).values()) > 400


def test_a_removed_line_moves_only_its_recipients() -> None:
    """Without a line, only its recipients get another one."""
    for person in map(number, range(500)):
        line = line_of(person, LINES)
        if line != LINES[0]:
            assert line_of(person, LINES[1:]) == line


def test_a_single_line_sends_everything() -> None:
    """With one line, nothing is hashed."""
    assert line_of(number(1), ["+15175269229"]) == "+15175269229"
