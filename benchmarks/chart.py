"""The chart: CPU per create as a multiple of the hand-written call's, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import attrs

WIDTH, LEFT, RIGHT, TOP = 760, 190, 60, 78
ROW, BAR = 44, 14
TITLE = "CPU time per create, as a multiple of the hand-written aiohttp call"
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
NAMES = {
    "floor": "floor (bare protocol)",
    "linq_async": "linq_async",
    "aiohttp and orjson": "aiohttp, with orjson",
    "httpx": "httpx by hand",
}
ORDER = (
    "floor",
    "aiohttp and orjson",
    "linq_async",
    "httpx",
    "linq-python[aiohttp]",
    "linq-python",
    "stripe",
    "openai",
)

# Medium tones, readable on a light and on a dark page.
INK, LINE = "#6e7781", "#8b949e"
OURS, THEIRS = ("#1f883d", "#57ab5a"), ("#3b74c0", "#79a6dc")


@attrs.frozen
class Scale:
    """A logarithmic scale of ratios."""

    low: float
    high: float

    def x(self, ratio: float) -> float:
        """Return the horizontal position of a ratio."""
        span = math.log(self.high / self.low)
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(max(ratio, self.low) / self.low) / span

    @property
    def ticks(self) -> list[float]:
        """The round numbers on the scale."""
        return [tick for tick in TICKS if self.low <= tick <= self.high]


def scale_for(ratios: Sequence[float]) -> Scale:
    """Return a scale that includes the ratios and 1, with room for a label left of the shortest bar."""
    lowest, highest = min(*ratios, 1), max(*ratios, 1)
    low = max((tick for tick in TICKS if tick <= lowest / 1.5), default=lowest / 2)
    high = min((tick for tick in TICKS if tick >= highest), default=highest)
    return Scale(low, high)


def svg(bars: dict[str, tuple[float, float]]) -> str:
    """Return the chart of each client's ratios, with 1 and with 50 calls in flight."""
    names = [name for name in ORDER if name in bars]
    scale = scale_for([ratio for name in names for ratio in bars[name]])
    bottom = TOP + ROW * len(names)
    height = bottom + 42
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'role="img" aria-label="{TITLE}" font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, '
            f'sans-serif" font-size="13">'
        ),
        f"<title>{TITLE}</title>",
        _text(16, 26, "CPU per create, next to aiohttp by hand", size=17, weight=600),
        _text(16, 48, "multiples of session.post(json=) + r.json(); less is better; each bar begins at 1"),
        _swatch(WIDTH - 190, THEIRS[0]) + _text(WIDTH - 174, 26, "1 in flight"),
        _swatch(WIDTH - 96, THEIRS[1]) + _text(WIDTH - 80, 26, "50 in flight"),
        *(_tick(scale, tick, bottom) for tick in scale.ticks),
        *(_row(scale, name, bars[name], TOP + ROW * index) for index, name in enumerate(names)),
        _baseline(scale, bottom),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _swatch(x: float, fill: str) -> str:
    return f'<rect x="{x}" y="16" width="11" height="11" rx="2" fill="{fill}"/>'


def _text(x: float, y: float, text: str, *, size: int = 13, weight: int = 400, at: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{INK}" text-anchor="{at}">'
        f"{escape(text)}</text>"
    )


def _tick(scale: Scale, tick: float, bottom: int) -> str:
    x = scale.x(tick)
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="{LINE}" stroke-opacity="0.25"/>'
    return line + _text(x, bottom + 18, f"{tick:g}", at="middle")


def _row(scale: Scale, name: str, ratios: tuple[float, float], top: int) -> str:
    ours = name == "linq_async"
    label = _text(LEFT - 12, top + BAR + 4, NAMES.get(name, name), weight=700 if ours else 400, at="end")
    bars = [
        _bar(scale, ratio, top + index * (BAR + 2), fill, bold=ours)
        for index, (ratio, fill) in enumerate(zip(ratios, OURS if ours else THEIRS, strict=True))
    ]
    return "\n".join([label, *bars])


def _bar(scale: Scale, ratio: float, top: int, fill: str, *, bold: bool) -> str:
    left, right = sorted((scale.x(1), scale.x(ratio)))
    rect = f'<rect x="{left:.1f}" y="{top}" width="{max(right - left, 2):.1f}" height="{BAR}" rx="2" fill="{fill}"/>'
    label = f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"
    x, at = (left - 6, "end") if ratio < 1 else (right + 6, "start")
    return rect + _text(x, top + BAR - 3, label, size=12, weight=700 if bold else 400, at=at)


def _baseline(scale: Scale, bottom: int) -> str:
    x = scale.x(1)
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="{INK}" stroke-dasharray="4 3"/>'
    return line + _text(x, bottom + 35, "aiohttp by hand", size=12, at="middle")
