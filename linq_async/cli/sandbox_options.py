"""The options of ``linq-async sandbox``, and how their values are read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

Port = Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 for any free port.")]
Token = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="The token to require; random by default. Never use a real one here."),
]
Numbers = Annotated[
    list[str] | None,
    typer.Option(metavar="+1…", help="A number to send from, such as +12223334444. Can be repeated."),
]
Host = Annotated[str, typer.Option(help="The address to listen on.")]
Webhook = Annotated[
    str | None, typer.Option(metavar="URL", help="Deliver all events to this URL, and show each attempt.")
]
WebhookSecret = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="The secret to sign events with; random by default. Never use a real one."),
]
AllowHosts = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Also accept requests for this host name or address, by which other machines or containers reach it."
        " Can be repeated.",
    ),
]
Latency = Annotated[
    str,
    typer.Option(
        metavar="SECONDS",
        help="Respond this much later, such as 0.2. A range, such as 0.05-0.3, spreads the latencies evenly.",
    ),
]
Fail = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        help="Let this share of all requests fail: with 0.1, each tenth. They are counted, not drawn at random, and"
        " take turns: 503, a reset before the request is stored, and a reset after it.",
    ),
]
RateLimit = Annotated[
    float | None,
    typer.Option(metavar="NUMBER", help="Respond with 429 and Retry-After to more requests in a second than this."),
]
Keep = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        dir_okay=False,
        help="Keep what is stored in this SQLite file, from one run to the next. It is created if it does not exist.",
    ),
]
_SECONDS = re.compile(r"(\d*\.?\d+)(?:-(\d*\.?\d+))?", re.ASCII)


def seconds_or_range(text: str) -> float | tuple[float, float]:
    """Read a number of seconds, or a range of them.

    Raises:
        ValueError: If it is neither.
    """
    parts = _SECONDS.fullmatch(text)
    if parts is None:
        raise ValueError("--latency must be seconds, such as 0.2, or a range of them, such as 0.05-0.3")
    return float(parts[1]) if parts[2] is None else (float(parts[1]), float(parts[2]))


def webhook_hosts(webhook: str | None) -> list[str]:
    """Return the host of the URL, to which events may then be delivered, wherever it is.

    Raises:
        ValueError: If the URL has none.
    """
    if webhook is None:
        return []
    parts = urlsplit(webhook)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", webhook):
        raise ValueError("--webhook must be an http or https URL")
    return [parts.hostname]
