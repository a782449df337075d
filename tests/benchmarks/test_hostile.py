"""What hostile answers cost."""

from __future__ import annotations

import json

import pytest

from benchmarks.hostile import cases, measure
from benchmarks.hostile_bodies import FILLS, PLACES, SIZES, body
from benchmarks.hostile_server import answer


@pytest.mark.slow
def test_no_answer_within_the_caps_does_harm() -> None:
    """No hostile answer blocks the loop for over 0.25 s, or takes over 64 MiB; the busy machine gets a second try."""
    found = measure(quick=False)
    assert (found.complaints and measure(quick=False).complaints) == []


@pytest.mark.parametrize("fill", FILLS)
def test_a_hostile_body_is_json(fill: str) -> None:
    """Each body is what it says: JSON, not longer than its size by more than its envelope."""
    content = body("handles", fill, "20 KiB")
    assert json.loads(content)["data"]["chat_handles"]
    assert fill == "values beside a text" or len(content) < SIZES["20 KiB"] + 4_300


def test_the_cases_meet_every_limit() -> None:
    """A full run has every fill, size, place and status, and a quick one is a part of it."""
    full = list(cases(quick=False))
    assert set(cases(quick=True)) <= set(full)
    assert {case[1] for case in full} == {"201", "307", "422", "503"}
    assert {case[3] for case in full} == set(PLACES)
    assert {case[4] for case in full} == set(FILLS)
    assert {case[5] for case in full} == set(SIZES)


def test_an_answer_is_spelled_by_its_path() -> None:
    """The server's answer has the status, the coding and the body that the path asks for."""
    spelled = answer("/503/identity/errors/one%20text/20%20KiB/api/partner/v2/chats")
    head, _, content = spelled.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Status\r\n")
    assert content == body("errors", "one text", "20 KiB")
    assert b"Content-Encoding: gzip" in answer("/201/gzip/root/numbers/20%20KiB/x")
