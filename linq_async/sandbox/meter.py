"""Counts requests, and says which of them meet a failure or the rate limit."""

import math
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction

from .conditions import Conditions
from .faults import NO_FAULT, Plan, answer_fault, plain_fault
from .refusals import RefusalError

FAILURES = (answer_fault(503), plain_fault("drop_before_storing"), plain_fault("drop_after_storing"))
"""What goes wrong with the requests that fail, in turns."""
GOLDEN = (math.sqrt(5) - 1) / 2
"""The fractions of its multiples are spread evenly, however many there are."""


class Meter:
    """Applies conditions to requests, one after the other. It starts to count again when they are set."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.set(Conditions())

    def set(self, conditions: Conditions) -> None:
        """Apply these conditions from now on."""
        self.conditions: Conditions = conditions
        self._share = Fraction(str(conditions.fail))  # as written: 0.1 is a tenth exactly
        self._counted = 0
        self._delayed = 0
        self._backlog = 0.0
        self._seen_at = self._clock()

    def refusal(self) -> RefusalError | None:
        """Count a request against the rate limit, or return the refusal if it is over it."""
        rate = self.conditions.rate_limit
        if rate is None:
            return None
        now = self._clock()
        passed = max((now - self._seen_at).total_seconds(), 0.0)
        self._seen_at, self._backlog = now, max(self._backlog - passed * rate, 0.0)
        over = self._backlog + 1 - max(rate, 1.0)
        if over > 0:
            headers = {"Retry-After": str(math.ceil(over / rate))}
            return RefusalError(429, "rate_limit_exceeded", "Too many requests", headers)
        self._backlog += 1
        return None

    def plan(self) -> Plan:
        """Count a request that has no other fault, and return how it fails, if it does."""
        failed = math.floor(self._counted * self._share)
        self._counted += 1
        fails = math.floor(self._counted * self._share) > failed
        return Plan(fault=FAILURES[failed % len(FAILURES)]) if fails else NO_FAULT

    def seconds(self) -> float:
        """Return how much longer the next response takes."""
        latency = self.conditions.latency
        if not isinstance(latency, tuple):
            return latency
        self._delayed += 1
        least, most = latency
        return least + (most - least) * (self._delayed * GOLDEN % 1)
