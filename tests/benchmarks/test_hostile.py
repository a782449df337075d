"""Tests of the benchmark of hostile responses."""

from __future__ import annotations

import json

import pytest

from benchmarks.hostile import cases, measure
from benchmarks.hostile_bodies import FILLS, PLACES, SIZES, body
from benchmarks.hostile_server import build_response


@pytest.mark.slow
def test_hostile_responses_are_harmless() -> None:
    """No response blocks the loop for more than 0.25 s or takes more than 64 MiB. A busy machine gets a second try."""
    result = measure(quick=False)
    assert (result.failures and measure(quick=False).failures) == []


@pytest.mark.parametrize("fill", FILLS)
def test_body_is_json(fill: str) -> None:
    """Each body is valid JSON, and exceeds its size at most by its envelope."""
    content = body("handles", fill, "20 KiB")
    assert json.loads(content)["data"]["chat_handles"]
    assert fill == "values beside a text" or len(content) < SIZES["20 KiB"] + 4_300


def test_cases_are_complete() -> None:
    """A full run covers every fill, size, place and status, and includes the quick run."""
    full = list(cases(quick=False))
    assert set(cases(quick=True)) <= set(full)
    assert {case[1] for case in full} == {"201", "307", "422", "503"}
    assert {case[3] for case in full} == set(PLACES)
    assert {case[4] for case in full} == set(FILLS)
    assert {case[5] for case in full} == set(SIZES)


def test_path_selects_the_response() -> None:
    """The response has the status, the coding and the body that the path selects."""
    response = build_response("/503/identity/errors/one%20text/20%20KiB/api/partner/v2/chats")
    head, _, content = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Status\r\n")
    assert content == body("errors", "one text", "20 KiB")
    assert b"Content-Encoding: gzip" in build_response("/201/gzip/data/numbers/20%20KiB/x")
