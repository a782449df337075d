"""What it costs to make typed values of an answer."""

from __future__ import annotations

from benchmarks.pairs import Pair, cpu_ratio, from_json, median_of
from benchmarks.processes import run
from benchmarks.results import Check, Found, Table
from benchmarks.rivals import absent_rows, choose

OURS = "linq_async"
BODIES = ("the create answer", "a page of 100 messages")


def measure(*, quick: bool) -> Found:
    """Measure every library that is installed."""
    there, absent = choose(["pydantic v2", "msgspec"], quick=quick)
    found = [from_json(one) for one in run("decode_worker", contenders=[OURS, *there], rounds=8 if quick else 60)]
    names = [OURS, *there]
    rows = [(name, *(cell for one in found for cell in _cells(one[name]))) for name in names]
    usual = [1e6 * median_of([pair.baseline.cpu for pair in one[OURS]]) for one in found]
    rows.append(("cattrs defaults (orjson)", "1", f"{usual[0]:.1f}", "1", f"{usual[1]:.0f}"))
    rows += absent_rows(absent, 5)
    heads = [cell for body in BODIES for cell in (f"{body}: ratio", "µs")]
    checks = [
        Check(what=f"decoding {body} / cattrs defaults", found=cpu_ratio(one[OURS]).median, budget=0.70, gate=0.85)
        for body, one in zip(BODIES, found, strict=True)
    ]
    note = (
        "From bytes to typed values. Ours alone keeps unknown enum values and takes a null list; pydantic and msgspec "
        "refuse one of the two documented spellings of a time."
    )
    return Found(title="Decoding", tables=[Table(("library", *heads), rows)], checks=checks, notes=[note])


def _cells(pairs: list[Pair]) -> tuple[str, str]:
    micros = 1e6 * median_of([pair.contender.cpu for pair in pairs])
    return str(cpu_ratio(pairs)), f"{micros:.1f}" if micros < 100 else f"{micros:.0f}"
