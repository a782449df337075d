"""What a create costs: JSON, one after the other and 50 in flight, on asyncio and on uvloop."""

from __future__ import annotations

import attrs

from benchmarks.create_worker import BY_HAND
from benchmarks.pairs import Pair, cpu_ratio, from_json, median_of, wall_ratio
from benchmarks.processes import run, serving
from benchmarks.results import NOT_INSTALLED, Check, Found, Table
from benchmarks.rivals import absent_rows, choose, installed

OURS = "linq_async"
OFFICIAL = "linq-python[aiohttp]"
RIVALS = ["floor", "aiohttp and orjson", "httpx", OFFICIAL, "linq-python", "stripe", "openai"]
LABELS = {
    "floor": "floor: a bare protocol and orjson",
    "aiohttp and orjson": "aiohttp by hand, with orjson",
    "httpx": "httpx by hand",
}
IN_FLIGHT = (1, 50)
OFFICIAL_BUDGETS = {1: 0.30, 50: 0.20}
NOTE = (
    "CPU ratio: the client's CPU time for a create as a multiple of the hand-written aiohttp call's "
    "(`session.post(json=)` and `await r.json()`) in the block of calls beside it: the median of the pairs, and "
    "the range of the middle 80 %. linq-python speaks version 3 of the API, stripe makes a customer, openai a "
    "completion: POSTs and answers of similar size."
)
HEAD = ("client", "CPU ratio", "wall ratio", "CPU µs", "beside by hand")


@attrs.frozen
class Setting:
    """A loop, and how many creates are in flight on it."""

    url: str
    in_flight: int
    uvloop: bool

    @property
    def name(self) -> str:
        """What the tables call it."""
        return f"{'uvloop' if self.uvloop else 'asyncio'}, {self.in_flight} in flight"

    def pairs(self, contenders: list[str], rounds: int, *, baseline: str = BY_HAND) -> dict[str, list[Pair]]:
        """Measure contenders beside a baseline, in a process of its own."""
        plan = {**attrs.asdict(self), "baseline": baseline, "contenders": contenders, "rounds": rounds}
        return from_json(run("create_worker", **plan, seconds=0.02))


def measure(*, quick: bool) -> Found:
    """Measure every client that is installed."""
    loops = [False, True] if installed("uvloop") and not quick else [False]
    with serving() as url:
        found = [_setting(Setting(url, count, uvloop), quick=quick) for uvloop in loops for count in IN_FLIGHT]
    notes = [NOTE]
    if not quick and not installed("uvloop"):
        notes.append(f"uvloop: {NOT_INSTALLED}.")
    bars = {name: (found[0].bars[name], found[1].bars[name]) for name in found[0].bars}
    return Found(
        title="Creating a chat (JSON)",
        tables=[part.table for part in found],
        checks=[check for part in found for check in part.checks],
        notes=notes,
        bars=bars,
    )


@attrs.frozen
class _Part:
    """What one setting gave."""

    table: Table
    checks: list[Check]
    bars: dict[str, float]


def _setting(setting: Setting, *, quick: bool) -> _Part:
    there, absent = choose(RIVALS, quick=quick)
    pairs = setting.pairs([OURS], 60 if quick else 320)
    ratio = cpu_ratio(pairs[OURS])
    pairs |= setting.pairs(there, 5 if quick else 40)
    gate = 1.25 if setting.uvloop else 1.15
    what = f"CPU of `chats.create` / hand-written aiohttp, {setting.name}"
    checks = [Check(what=what, found=ratio.median, budget=1.05, gate=gate)]
    rows = [_row(name, pairs[name]) for name in (OURS, *there)]
    if OFFICIAL in there and not setting.uvloop:
        beside = cpu_ratio(setting.pairs([OURS], 60, baseline=OFFICIAL)[OURS])
        what = f"CPU of `chats.create` / linq-python on aiohttp, {setting.name}"
        checks.append(Check(what=what, found=beside.median, budget=OFFICIAL_BUDGETS[setting.in_flight], gate=0.4))
        rows.append((f"linq_async / {OFFICIAL}, in pairs", str(beside), "", "", ""))
    rows += absent_rows(absent, len(HEAD))
    bars = {name: cpu_ratio(found).median for name, found in pairs.items()}
    return _Part(Table((setting.name, *HEAD[1:]), rows), checks, bars)


def _row(name: str, pairs: list[Pair]) -> tuple[str, ...]:
    ours = median_of([pair.contender.cpu for pair in pairs])
    beside = median_of([pair.baseline.cpu for pair in pairs])
    label = LABELS.get(name, name)
    return (label, str(cpu_ratio(pairs)), str(wall_ratio(pairs)), f"{1e6 * ours:.0f}", f"{1e6 * beside:.0f}")
