"""Faults of delivery that a test scripts."""

from collections.abc import Callable
from threading import Lock
from typing import TypedDict, Unpack

import attrs

from linq_async.sandbox.api.webhook_subscriptions import EVENTS
from linq_async.sandbox.faults import checked_times


class DeliveryFilter(TypedDict, total=False):
    """The deliveries to which a fault applies: how many of the next ones, and of which type of event."""

    times: int
    event_type: str | None


@attrs.define
class DeliveryFault:
    """One scripted fault."""

    name: str
    times: int
    event_type: str | None


class DeliveryFaults:
    """Faults of the next deliveries, in the order in which they were scripted.

    Each applies to the next `times=` deliveries, and may be narrowed to those of an `event_type`. A delivery is one
    event for one subscription, and has at most one fault.
    """

    def __init__(self, on_release: Callable[[], object]) -> None:
        self._on_release = on_release
        self._faults: list[DeliveryFault] = []
        self._lock = Lock()  # a test may script them in its own thread
        self._held = False

    @property
    def held(self) -> bool:
        """Whether deliveries are held."""
        return self._held

    def twice(self, **matching: Unpack[DeliveryFilter]) -> None:
        """Deliver the next event a second time once it was delivered."""
        self._script("twice", matching)

    def twice_with_new_id(self, **matching: Unpack[DeliveryFilter]) -> None:
        """Deliver the next event a second time under another `event_id`, as if two subscriptions overlapped."""
        self._script("twice_with_new_id", matching)

    def out_of_order(self, **matching: Unpack[DeliveryFilter]) -> None:
        """Deliver the next event of a chat after the one that follows it. It is held until then, or `release()`."""
        self._script("out_of_order", matching)

    def lose_answer(self, **matching: Unpack[DeliveryFilter]) -> None:
        """Ignore the response to the first attempt at the next event, which the receiver has then, and repeat it."""
        self._script("lose_answer", matching)

    def hold(self) -> None:
        """Deliver nothing until `release()`; attempts that are under way are finished."""
        self._held = True

    def release(self) -> None:
        """Deliver what was held."""
        self._held = False
        self._on_release()

    def take(self, event_type: str) -> str | None:
        """Return the fault of a delivery, and count it as used."""
        with self._lock:
            for fault in self._faults:
                if fault.event_type in (None, event_type):
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                    return fault.name
        return None

    def clear_faults(self) -> None:
        """Drop all scripted faults; what is held stays held."""
        with self._lock:
            self._faults.clear()

    def _script(self, name: str, matching: DeliveryFilter) -> None:
        unknown = matching.keys() - DeliveryFilter.__annotations__.keys()
        if unknown:
            raise TypeError(f"unknown arguments: {', '.join(sorted(unknown))}")
        times, event_type = checked_times(matching.get("times", 1)), matching.get("event_type")
        if event_type is not None and event_type not in EVENTS:
            raise ValueError(f"event_type must be one that subscriptions can list, not {event_type!r}")
        with self._lock:
            self._faults.append(DeliveryFault(name, times, event_type))
