"""Faults that a test scripts: what goes wrong, how often, and for which requests."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from itertools import count
from threading import Lock
from typing import TypedDict, Unpack

import attrs

from .changes import publish_nothing
from .events import Event, FaultsCleared, FaultScripted, FaultUsed
from .numbers import participant
from .refusals import RefusalError
from .responses import JSON_TYPE, ApiResponse, error_response

MAX_FAULTS = 1_000
"""How many can be scripted at a time: each request is compared with all of them."""


class RequestFilter(TypedDict, total=False):
    """The requests to which a fault applies: how many of the next ones, and which."""

    times: int
    phone_number: str | None
    path: str | None
    method: str | None


@attrs.define(kw_only=True)
class Fault:
    """One scripted fault: a delay, a response, or a lost response."""

    id: int
    name: str
    times: int
    seconds: float
    response: ApiResponse | None
    phone_number: str | None
    path: str | None
    method: str | None

    @property
    def is_delay(self) -> bool:
        """Whether this only delays, and so combines with the next fault."""
        return self.name == "delay"

    def matches(self, method: str, path: str, numbers: Callable[[], frozenset[str]]) -> bool:
        """Return whether a request is one of those that the fault applies to."""
        return (
            (self.method is None or self.method == method)
            and (self.path is None or path.endswith(self.path))
            and (self.phone_number is None or self.phone_number in numbers())
        )

    def __str__(self) -> str:
        if self.is_delay:
            return f"delay {self.seconds:g}"
        return self.name if self.response is None else f"answer {self.response.status}"


@attrs.frozen
class Plan:
    """The faults of one request: a delay, another fault, both or none."""

    delay: Fault | None = None
    fault: Fault | None = None

    @property
    def seconds(self) -> float:
        """Seconds to wait before the response."""
        return self.delay.seconds if self.delay else 0.0

    @property
    def name(self) -> str | None:
        """The faults as the log shows them."""
        return " + ".join(str(one) for one in (self.delay, self.fault) if one) or None

    @property
    def response(self) -> ApiResponse | None:
        """The scripted response, if there is one."""
        return self.fault.response if self.fault else None

    @property
    def works(self) -> bool:
        """Whether the operation runs, even if its response is lost."""
        return self.fault is None or self.fault.name in ("drop_after_storing", "cut_body", "wrong_answer")

    @property
    def drops(self) -> bool:
        """Whether the connection is reset in place of a response."""
        return self.fault is not None and self.fault.name.startswith("drop")

    @property
    def cuts(self) -> bool:
        """Whether the response breaks off in its body."""
        return self.fault is not None and self.fault.name == "cut_body"


NO_FAULT = Plan()


class Faults:
    """Faults in the order in which they were scripted.

    Each applies to the next `times=` requests, and may be narrowed to requests that concern a
    `phone_number`, have a `method`, or whose path ends in `path`. A delay combines with the fault after it.
    """

    def __init__(self, publish: Callable[[Event], object] = publish_nothing) -> None:
        self._queue: list[Fault] = []
        self._publish = publish
        self._ids = count(1)
        self._lock = Lock()  # a test scripts them in its own thread, and the server may use them up in another

    def __repr__(self) -> str:
        return f"<Faults: {', '.join(f'{fault} x{fault.times}' for fault in tuple(self._queue)) or 'none'}>"

    def __iter__(self) -> Iterator[Fault]:
        # Copies: requests may use them up while the caller reads.
        with self._lock:
            return iter([attrs.evolve(fault) for fault in self._queue])

    @property
    def pending(self) -> int:
        """The number of times that scripted faults will still be applied."""
        with self._lock:
            return sum(fault.times for fault in self._queue)

    def answer(
        self,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        body: str | bytes | None = None,
        **matching: Unpack[RequestFilter],
    ) -> None:
        """Answer the next requests with this status and run no operation; without a body, send an error in JSON."""
        self._add("answer", matching, response=scripted_response(status, headers or {}, json, body))

    def delay(self, seconds: float, **matching: Unpack[RequestFilter]) -> None:
        """Delay the answers to the next requests; the message is stored before the delay."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"seconds must be a finite number from 0 on, not {seconds!r}")
        self._add("delay", matching, seconds=seconds)

    def drop_before_storing(self, **matching: Unpack[RequestFilter]) -> None:
        """Read the next requests to the end, store nothing, and reset the connection."""
        self._add("drop_before_storing", matching)

    def drop_after_storing(self, **matching: Unpack[RequestFilter]) -> None:
        """Run the operations of the next requests, and reset the connection instead of answering."""
        self._add("drop_after_storing", matching)

    def cut_body(self, **matching: Unpack[RequestFilter]) -> None:
        """Run the operations of the next requests, and close in the middle of the response's body."""
        self._add("cut_body", matching)

    def clear(self) -> None:
        """Drop all scripted faults."""
        with self._lock:
            self._queue.clear()
            self._publish(FaultsCleared())

    def _add(
        self, name: str, matching: RequestFilter, *, seconds: float = 0.0, response: ApiResponse | None = None
    ) -> None:
        unknown = matching.keys() - RequestFilter.__annotations__.keys()
        if unknown:
            raise TypeError(f"unknown arguments: {', '.join(sorted(unknown))}")
        fault = Fault(
            id=next(self._ids),
            name=name,
            times=checked_times(matching.get("times", 1)),
            seconds=seconds,
            response=response,
            phone_number=checked_number(matching.get("phone_number")),
            path=matching.get("path"),
            method=(matching.get("method") or "").upper() or None,
        )
        with self._lock:
            if len(self._queue) >= MAX_FAULTS:
                raise ValueError(f"there are {MAX_FAULTS} scripted faults already: use them up, or clear them")
            self._queue.append(fault)
            self._publish(FaultScripted(fault_id=fault.id, description=str(fault), times=fault.times))

    def take(self, method: str, path: str, numbers: Callable[[], frozenset[str]]) -> Plan:
        """Return the faults of one request, and count them as used; `numbers` returns those that it concerns."""
        delay: Fault | None = None
        with self._lock:
            # A copy: a fault that is used up leaves the queue.
            for fault in tuple(self._queue):
                if not fault.matches(method, path, numbers):
                    continue
                if not fault.is_delay:
                    return Plan(delay, self._use(fault))
                if delay is not None:
                    break
                delay = self._use(fault)
        return Plan(delay) if delay else NO_FAULT

    def _use(self, fault: Fault) -> Fault:
        fault.times -= 1
        if not fault.times:
            self._queue.remove(fault)
        self._publish(FaultUsed(fault_id=fault.id, remaining=fault.times))
        return fault


def checked_times(times: object) -> int:
    """Return the number of times if it is a positive whole number."""
    if not isinstance(times, int) or isinstance(times, bool) or times < 1:
        raise ValueError(f"times must be a whole number from 1 on, not {times!r}")
    return times


def checked_number(text: str | None) -> str | None:
    """Return a number in the form that the sandbox compares."""
    number = None if text is None else participant(text)
    if text is not None and number is None:
        raise ValueError(f"{text!r} is not a phone number or email address")
    return number


def checked_status(status: object) -> int:
    """Return the status if it is a final one."""
    if not isinstance(status, int) or status not in range(200, 600):
        raise ValueError(f"status must be a whole number from 200 to 599, not {status!r}")
    return status


def scripted_response(status: int, headers: Mapping[str, str], value: object, body: str | bytes | None) -> ApiResponse:
    """Build the response of a fault from checked arguments."""
    status = checked_status(status)
    if value is not None and body is not None:
        raise ValueError("give json or body, not both")
    if any(mark in text for pair in headers.items() for text in pair for mark in "\r\n\0"):
        raise ValueError("headers must not contain line breaks")
    if body is not None:
        data = body.encode() if isinstance(body, str) else body
        return ApiResponse(status, data, {"Content-Type": "text/html; charset=utf-8", **headers})
    if value is not None:
        return ApiResponse(status, json.dumps(value).encode(), {"Content-Type": JSON_TYPE, **headers})
    if status < 400:
        return ApiResponse(status, b"", headers)
    try:
        code = HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
    except ValueError:
        code = "error"
    plain = error_response(RefusalError(status, code, "Scripted by the sandbox"))
    return attrs.evolve(plain, headers={**plain.headers, **headers})


def plain_fault(name: str, *, seconds: float = 0.0, response: ApiResponse | None = None) -> Fault:
    """Return a fault that is not scripted, and so never used up."""
    return Fault(
        id=0, name=name, times=1, seconds=seconds, response=response, phone_number=None, path=None, method=None
    )


def answer_fault(status: int, **headers: str) -> Fault:
    """Return a response that is not scripted, with headers such as `Retry_After`."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return plain_fault("answer", response=scripted_response(status, given, None, None))
