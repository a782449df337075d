"""What happened in a run of ``linq-async sandbox``, to show at its end."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

import attrs

from linq_async.cli.render import aligned

if TYPE_CHECKING:
    from linq_async.sandbox import LoggedRequest, Sandbox, SandboxDelivery

_SHOWN_KEYS = 5
_MAX_KEYS = 10_000
_MAX_CHARS = 60
_BROKEN = {
    "drop_before_storing": "reset before storing",
    "drop_after_storing": "reset after storing",
    "cut_body": "response cut",
    "wrong_answer": "response not as documented",
}


@attrs.define(eq=False)
class RunSummary:
    """Counts requests and deliveries as they end. It stays small, however long the run is."""

    started: bool = False
    """Whether the sandbox has listened."""
    requests: int = 0
    failures: Counter[str] = attrs.field(factory=Counter[str])
    """How often requests failed, by kind."""
    attempts: OrderedDict[str, int] = attrs.field(factory=OrderedDict[str, int])
    """The attempts of each idempotency key that had more than one, for the latest 10,000 keys."""
    deliveries: Counter[bool] = attrs.field(factory=Counter[bool])
    """How many attempts to deliver a webhook succeeded, and how many did not."""

    def add_request(self, entry: LoggedRequest) -> None:
        """Count a request that has ended."""
        self.requests += 1
        kind = failure_kind(entry)
        if kind is not None:
            self.failures[kind] += 1
        if entry.idempotency_key is not None and entry.attempt > 1:
            self.attempts[entry.idempotency_key] = entry.attempt
            self.attempts.move_to_end(entry.idempotency_key)  # so that the first one is the oldest
            if len(self.attempts) > _MAX_KEYS:
                self.attempts.popitem(last=False)

    def add_delivery(self, entry: SandboxDelivery) -> None:
        """Count an attempt to deliver a webhook."""
        self.deliveries[entry.delivered] += 1

    def lines(self, server: Sandbox) -> list[str]:
        """Return the lines to show: what is stored, and what was counted."""
        sent, chats = sum(message.from_me for message in server.messages), len(server.chats)
        stored = f"{sent} sent, {len(server.messages) - sent} received, in {chats} chat{'s' * (chats != 1)}"
        delivered = f"{self.deliveries.total()} attempts, {self.deliveries[False]} failed"
        return aligned(
            [
                ("messages", stored),
                ("requests", f"{self.requests}, {self.failures.total()} failed"),
                ("failures", _counted(self.failures, len(self.failures)) or None),
                ("repeated", _counted(self.attempts, _SHOWN_KEYS, "keys") or None),
                ("webhooks", delivered if self.deliveries else None),
            ]
        )


def _counted(counts: dict[str, int], most: int, unit: str = "") -> str:
    """Return the largest counts with their names, and how many others there are."""
    largest = sorted(counts.items(), key=lambda pair: -pair[1])[:most]
    parts = [f"{name[:_MAX_CHARS]} x{count}" for name, count in largest]
    if len(counts) > len(parts):
        parts.append(f"and {len(counts) - len(parts)} more {unit}")
    return ", ".join(parts)


def failure_kind(entry: LoggedRequest) -> str | None:
    """Return how a request failed, in words or as a status; None if it did not."""
    fault = (entry.fault or "").rpartition(" + ")[2]
    if fault in _BROKEN:
        return _BROKEN[fault]
    if entry.status is None:
        return "client left"
    return None if entry.status < 400 else str(entry.status)
