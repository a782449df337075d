"""A long run with faults: what the client holds must not grow."""

from __future__ import annotations

from benchmarks.processes import run, serving
from benchmarks.results import Check, Found, Table

FLAT = 1.02
FAULTS = 0.02
LEGS = 10
HELD = {"rss": "RSS, MiB", "descriptors": "descriptors", "tasks": "tasks", "timers": "timers"}
NOTE = (
    "Answers of 503 and dropped connections, in equal parts, made {retries:,} retries. Counted between the calls, with "
    "the pool filled: connections that faults have closed are opened again first."
)


def measure(*, quick: bool) -> Found:
    """Soak one client."""
    calls = 5_000 if quick else 100_000
    with serving(faults=FAULTS) as url:
        found = run("soak_worker", url=url, calls=calls, legs=LEGS)
    warm, *later = found["moments"]
    growth = {name: worst_growth(warm[name], [moment[name] for moment in later]) for name in HELD}
    rows = [
        (label, _count(name, warm[name]), _count(name, later[-1][name]), f"{growth[name]:.3f}")
        for name, label in HELD.items()
    ]
    checks = [
        Check(
            what=f"growth of {label.partition(',')[0]} in {calls:,} calls",
            found=growth[name],
            budget=FLAT,
            gate=FLAT,
            exact=name != "rss",
        )
        for name, label in HELD.items()
    ]
    lost = Check(
        what=f"failures among {calls:,} calls with {FAULTS:.0%} faults",
        found=found["failed"],
        budget=0,
        gate=0,
        unit="calls",
        exact=True,
    )
    return Found(
        title=f"{calls:,} creates with {FAULTS:.0%} faults on one client",
        tables=[Table(("", "after a tenth", "at the end", "most / after a tenth"), rows)],
        checks=[*checks, lost],
        notes=[NOTE.format(retries=found["retries"])],
    )


def worst_growth(warm: float, later: list[float]) -> float:
    """Return the most that was held later, as a multiple of what was held when warm."""
    return max(later) / warm if warm else 1.0 + max(later)


def _count(name: str, value: int) -> str:
    return f"{value / (1 << 20):.1f}" if name == "rss" else str(value)
