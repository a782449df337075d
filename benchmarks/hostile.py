"""What the worst answers cost that a server can send within the caps: the loop's time, and memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.hostile_bodies import AT_THE_CAP, FILLS, MIB, SIZES
from benchmarks.hostile_server import FLOODS
from benchmarks.processes import run, serving
from benchmarks.results import Check, Found, Table

SUCCESS = {
    "chats.create": ("data", "handles"),
    "chats.list": ("data",),
    "messages.list": ("data",),
    "messages.get": ("data",),
    "contacts.list": ("contacts",),
    "contacts.find": ("root",),
    "phone_numbers.list": ("data",),
    "request": ("root",),
    "request, a class of its own": ("data",),
    "request, dicts of lists": ("root",),
    "request, sets": ("root",),
    "request, a foreign class": ("data",),
}
"""For each call, where in a 2xx the values go that do harm."""
REFUSALS = ("307", "422", "503")
QUICK_CALLS = ("chats.create", "request, a foreign class")
QUICK_FILLS = ("numbers", "lists in lists", "wrong handles", "a text of commas", "values beside a text", "a mapping")
QUICK_SIZES = ("8 MiB", "210 KiB", "20 KiB")
BLOCK_MS, GROWTH_MIB = 250.0, 64.0
NOTE = (
    "Answers of up to 8 MiB, most of them gzip of a few kilobytes: wrong lists, millions of values, deep nesting, wide "
    "texts, in every place of an answer that is read, on 2xx, 3xx, 4xx and 5xx (four attempts each); and floods of "
    "headers, early answers and chunks. The block is the longest that another task waited for the loop, less the time "
    "without a processor; memory is the growth of the peak RSS, the answer itself included. Each answer is read in a "
    "process of its own."
)

Case = tuple[str, ...]
"""A call, and the answer it meets: status, coding, place, fill and size."""


def cases(*, quick: bool) -> Iterator[Case]:
    """Yield what is measured."""
    for size in QUICK_SIZES if quick else SIZES:
        for fill in QUICK_FILLS if quick else FILLS:
            if size == "8 MiB" or fill not in AT_THE_CAP:
                yield from _cases(fill, size, QUICK_CALLS if quick else tuple(SUCCESS))
    for coding in FLOODS:
        yield ("chats.create", "422", coding, "errors", "numbers", "20 KiB")
    yield ("chats.create", "201", "chunks of a byte", "handles", "one text", "1 MiB")
    yield ("chats.create", "201", "identity", "handles", "long texts", "8 MiB")


def _cases(fill: str, size: str, calls: tuple[str, ...]) -> Iterator[Case]:
    for call in calls:
        for place in SUCCESS[call]:
            yield (call, "201", "gzip", place, fill, size)
    for status in REFUSALS:
        yield ("chats.create", status, "gzip", "errors", fill, size)


def measure(*, quick: bool) -> Found:
    """Measure every case, and show the worst of each size."""
    chosen = list(cases(quick=quick))
    with serving("hostile_server") as url:
        found: list[dict[str, Any]] = run("hostile_worker", url=url, cases=chosen)
    rows = [_row(size, list(zip(chosen, found, strict=True))) for size in SIZES if any(size in case for case in chosen)]
    checks = [
        Check(
            what="longest block of the loop by a hostile answer",
            found=1e3 * max(one["gated"] for one in found),
            budget=BLOCK_MS,
            gate=BLOCK_MS,
            unit="ms",
        ),
        Check(
            what="growth of the peak RSS by a hostile answer",
            found=max(one["grown"] for one in found) / MIB,
            budget=GROWTH_MIB,
            gate=GROWTH_MIB,
            unit="MiB",
        ),
    ]
    head = ("body", "answers", "longest block", "of", "peak RSS growth", "of")
    return Found(title="Hostile answers", tables=[Table(head, rows)], checks=checks, notes=[NOTE])


def _row(size: str, all_found: list[tuple[Case, dict[str, Any]]]) -> tuple[str, ...]:
    there = [(case, found) for case, found in all_found if case[-1] == size]
    slowest = max(there, key=lambda one: one[1]["gated"])
    largest = max(there, key=lambda one: one[1]["grown"])
    return (
        size,
        str(len(there)),
        f"{1e3 * slowest[1]['gated']:.0f} ms",
        _named(slowest[0]),
        f"{largest[1]['grown'] / MIB:.1f} MiB",
        _named(largest[0]),
    )


def _named(case: Case) -> str:
    call, status, coding, place, fill, _ = case
    what = f"{fill} in {place}" if coding in {"gzip", "identity"} else coding
    return f"{call}, {status}, {what}"
