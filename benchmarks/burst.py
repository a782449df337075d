"""A thousand creates at once, where each answer takes a second: waiting in line must not count as waiting for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from benchmarks.burst_worker import CONNECTIONS, OPENS, READ_SECONDS
from benchmarks.processes import run, serving
from benchmarks.results import Check, Found, Table

COUNT = 1_000
OURS, RIGHT, _ = OPENS
ALONE_TOO = 3


def _measured(url: str, contender: str) -> dict[str, Any]:
    found: dict[str, Any] = run("burst_worker", url=url, contender=contender, count=COUNT)
    return found


def measure(*, quick: bool) -> Found:
    """Let all contenders run side by side: they do little but wait."""
    with serving(delay=1.0) as url, ThreadPoolExecutor() as threads:
        found = dict(
            zip(
                OPENS,
                threads.map(partial(_measured, url), OPENS),
                strict=True,
            )
        )
    rows = [
        (name, f"{one['failed']:.0f}", f"{one['seconds']:.2f}", f"{one['seconds'] / found[RIGHT]['seconds']:.2f}")
        for name, one in found.items()
    ]
    ratio = found[OURS]["seconds"] / found[RIGHT]["seconds"]
    return Found(
        title=f"{COUNT:,} creates at once, {CONNECTIONS} connections, answers after 1 s, {READ_SECONDS:g} s allowed",
        tables=[Table(("client", f"failed of {COUNT:,}", "seconds", "ratio"), rows)],
        checks=[
            Check(
                what=f"failures among {COUNT:,} creates at once",
                found=found[OURS]["failed"],
                budget=0,
                gate=0,
                unit="calls",
                exact=True,
            ),
            Check(what=f"time of {COUNT:,} creates at once / by hand", found=ratio, budget=1.2, gate=1.5),
        ],
        notes=["By hand, `total=3` counts the wait for a connection too, so those who stand in line fail unsent."],
    )
