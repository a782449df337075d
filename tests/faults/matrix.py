"""The fault matrix: the expected outcome of each fault for each kind of request."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from linq_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ConnectError,
    ConnectionLostError,
    DecodeError,
    LinqError,
    NotFoundError,
    Outcome,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    RedirectError,
    RequestTimeoutError,
    ServerError,
    Timeouts,
    UnprocessableEntityError,
)
from tests.support.script import At, Behaviour, good

from . import answers, broken_wire

MAX_ATTEMPTS = 3
SOON = 0.06
PATIENT = Timeouts(connect=5, write=5, read=5)


class Kind(StrEnum):
    """The requests that every fault is tried on."""

    JSON = "create, JSON"
    FORM = "create, multipart"
    POST = "POST without a key"
    DELETE = "DELETE"

    @property
    def creates(self) -> bool:
        """Whether it is a `chats.create`."""
        return self in {Kind.JSON, Kind.FORM}


class Run(StrEnum):
    """How often the fault happens."""

    ONCE = "once"
    ALWAYS = "always"


@dataclass(frozen=True)
class Verdict:
    """A line of the retry table: the error, its outcome, and whether the request goes out again."""

    error: type[LinqError] | None
    outcome: Outcome | None
    again: bool
    again_without_key: bool


WELL = Verdict(None, None, again=False, again_without_key=False)
NOTHING_LEFT = Verdict(ConnectError, Outcome.NOT_SENT, again=True, again_without_key=True)
CERTIFICATE = Verdict(ConnectError, Outcome.NOT_SENT, again=False, again_without_key=False)
LOST = Verdict(ConnectionLostError, Outcome.UNKNOWN, again=True, again_without_key=False)
LATE = Verdict(RequestTimeoutError, Outcome.UNKNOWN, again=True, again_without_key=False)
CUT = Verdict(ConnectionLostError, Outcome.SENT, again=True, again_without_key=False)
LATE_CUT = Verdict(RequestTimeoutError, Outcome.SENT, again=True, again_without_key=False)
LIMITED = Verdict(RateLimitError, Outcome.NOT_SENT, again=True, again_without_key=True)
UNREADABLE = Verdict(DecodeError, Outcome.SENT, again=False, again_without_key=False)


def troubled(error: type[LinqError], outcome: Outcome = Outcome.UNKNOWN) -> Verdict:
    """Return the verdict on a status that says "later"."""
    return Verdict(error, outcome, again=True, again_without_key=False)


def refused(error: type[LinqError], outcome: Outcome = Outcome.NOT_SENT) -> Verdict:
    """Return the verdict on a status that says "no"."""
    return Verdict(error, outcome, again=False, again_without_key=False)


@dataclass(frozen=True)
class Expected:
    """How one call must end, and what the server must have seen and kept by then."""

    error: str | None
    outcome: Outcome | None
    attempts: int
    arrivals: int
    held: int


@dataclass(frozen=True)
class Fault:
    """One row: a fault and its verdict; `verdicts` has the kinds of request that differ."""

    behaviour: Behaviour
    verdict: Verdict
    verdicts: Mapping[Kind, Verdict] = field(default_factory=dict[Kind, Verdict])
    name: str = ""
    timeouts: Timeouts = PATIENT
    without_body: Timeouts | None = None
    big: bool = False
    tls: str | None = None
    address: str | None = None
    warm_up: bool = False
    runs: tuple[Run, ...] = (Run.ONCE, Run.ALWAYS)

    def __str__(self) -> str:
        return self.name or self.behaviour.name

    @property
    def server_saw(self) -> str:
        """How much of a request arrives, and whether it has its effect."""
        if self.out_of_reach:
            return "nothing"
        return _SAW[self.behaviour.at] + (", with effect" if self.behaviour.stores else "")

    def runs_of(self, kind: Kind) -> list[Run]:
        """Return the runs that differ: what ends at the first attempt need not be tried again and again."""
        endings = {self.expected(kind, run): run for run in reversed(self.runs)}
        return [run for run in self.runs if run in endings.values()]

    def timeouts_of(self, kind: Kind) -> Timeouts:
        """Return the time limits, short if the fault is a timeout."""
        return self.timeouts if kind.creates or self.without_body is None else self.without_body

    def verdict_on(self, kind: Kind) -> Verdict:
        """Return the line of the retry table that holds for this kind of request."""
        return self.verdicts.get(kind, self.verdict)

    def expected(self, kind: Kind, run: Run) -> Expected:
        """Follow the retry table to the end of the call."""
        verdict = self.verdict_on(kind)
        again = verdict.again_without_key if kind is Kind.POST else verdict.again
        recovers = verdict is WELL or (again and run is Run.ONCE)
        attempts = (2 if run is Run.ONCE else MAX_ATTEMPTS) if again else 1
        return Expected(
            error=None if recovers or verdict.error is None else verdict.error.__name__,
            outcome=None if recovers else verdict.outcome,
            attempts=attempts,
            arrivals=0 if self.out_of_reach else attempts,
            held=self._held(kind, attempts, recovers=recovers),
        )

    @property
    def out_of_reach(self) -> bool:
        """Whether no behaviour of a server ever has its turn."""
        return self.address is not None or self.verdict is CERTIFICATE

    def _held(self, kind: Kind, attempts: int, *, recovers: bool) -> int:
        if self.out_of_reach or self.warm_up or not self.behaviour.stores:
            return int(recovers)
        return attempts if kind is Kind.POST else 1


_SAW = {
    At.ACCEPT: "a connection",
    At.FIRST_BYTES: "some of the head",
    At.HEAD: "the head",
    At.MID_BODY: "some of the body",
    At.BODY: "all",
}
_BODILESS_WELL = {Kind.POST: WELL, Kind.DELETE: WELL}
_SLOW_ANSWER = Timeouts(connect=5, write=5, read=SOON)
_SLOW_UPLOAD = Timeouts(connect=5, write=SOON, read=4 * SOON)
_SLOW_CONNECT = Timeouts(connect=SOON, write=5, read=5)


def connections() -> Iterator[Fault]:
    """Yield the faults on the way to a connection."""
    always = (Run.ALWAYS,)
    yield Fault(good, NOTHING_LEFT, name="connection refused", address="refused", runs=always)
    yield Fault(good, NOTHING_LEFT, name="name that does not resolve", address="unresolvable", runs=always)
    for kind in ("wrong_name", "expired", "self_signed"):
        name = f"{kind.replace('_', '-')} certificate"
        yield Fault(good, CERTIFICATE, name=name, tls=kind, runs=always)
    yield Fault(broken_wire.silence, NOTHING_LEFT, name="TLS handshake stalls", tls="right", timeouts=_SLOW_CONNECT)
    for behaviour in (
        broken_wire.plain_text,
        broken_wire.close_in_handshake,
        broken_wire.reset_in_handshake,
    ):
        yield Fault(behaviour, NOTHING_LEFT, tls="right")
    yield Fault(good, WELL, name="healthy, over TLS", tls="right", runs=(Run.ONCE,))


def requests() -> Iterator[Fault]:
    """Yield the faults while the request goes out."""
    yield Fault(broken_wire.close_on_accept, LOST)
    yield Fault(broken_wire.reset_on_accept, LOST)
    yield Fault(broken_wire.banner_on_accept, LOST)
    yield Fault(broken_wire.silence, LATE, name="accept and stay silent", timeouts=_SLOW_ANSWER)
    yield Fault(broken_wire.reset_mid_headers, LOST)
    stalled = Fault(broken_wire.stop_reading, LATE, timeouts=_SLOW_UPLOAD, without_body=_SLOW_ANSWER, big=True)
    yield stalled
    yield replace(stalled, name=f"{stalled}, over TLS", tls="right")
    yield Fault(broken_wire.reset_mid_upload, LOST, big=True)
    for keep in (True, False):
        yield Fault(broken_wire.early_answer(503, keep=keep), troubled(ServerError), big=True)
    yield Fault(broken_wire.early_answer(413, keep=False), refused(PayloadTooLargeError), big=True)


def no_answers() -> Iterator[Fault]:
    """Yield the faults after the request, before a status could be read."""
    for behaviour in (broken_wire.close_after_request, broken_wire.reset_after_request):
        yield Fault(behaviour, LOST)
        yield Fault(behaviour.storing(), LOST)
    yield Fault(broken_wire.no_answer, LATE, timeouts=_SLOW_ANSWER)
    yield Fault(broken_wire.no_answer.storing(), LATE, timeouts=_SLOW_ANSWER)
    yield Fault(broken_wire.slow_work, LATE, timeouts=_SLOW_ANSWER)
    yield Fault(broken_wire.slow_headers, LATE, timeouts=_SLOW_ANSWER)
    for behaviour in (
        broken_wire.not_http,
        broken_wire.half_status_line,
        broken_wire.half_headers,
        broken_wire.bad_chunk,
        broken_wire.two_lengths,
        broken_wire.no_content_with_body,
        broken_wire.length_too_short,
        answers.unasked_encoding,
    ):
        yield Fault(behaviour, LOST)
    for behaviour in (broken_wire.idle_close_race, broken_wire.idle_reset_race):
        yield Fault(behaviour, LOST, warm_up=True, runs=(Run.ONCE,))


def cut_answers() -> Iterator[Fault]:
    """Yield the faults after a 2xx was seen, before its body was whole."""
    yield Fault(broken_wire.slow_body, LATE_CUT, timeouts=_SLOW_ANSWER)
    yield Fault(broken_wire.headers_then_silence, LATE_CUT, timeouts=_SLOW_ANSWER)
    yield Fault(broken_wire.bad_chunk_later, LATE_CUT, timeouts=_SLOW_ANSWER)
    yield Fault(broken_wire.reset_mid_answer, CUT)
    yield Fault(broken_wire.length_too_long, CUT)
    yield Fault(broken_wire.last_chunk_missing, CUT)


def odd_answers() -> Iterator[Fault]:
    """Yield whole 2xx answers that are not what was promised; `linq.request` was promised nothing."""
    for behaviour in (
        answers.wrong_encoding,
        answers.corrupt_gzip,
        answers.bomb,
        answers.many_values,
        broken_wire.endless_body,
    ):
        yield Fault(behaviour, UNREADABLE)
    for behaviour in (
        answers.truncated_gzip,
        answers.byte_order_mark,
        answers.nested_lists,
        answers.not_a_number,
        answers.empty_body,
        answers.html_page,
        answers.json_list,
        answers.json_string,
        answers.json_null,
        answers.json_number,
        answers.not_json,
        answers.not_utf8,
        broken_wire.length_too_short_later,
    ):
        yield Fault(behaviour, UNREADABLE, _BODILESS_WELL)


def good_answers() -> Iterator[Fault]:
    """Yield what looks odd and is well."""
    for behaviour in (
        good,
        answers.good_gzip,
        answers.unknown_encoding,
        broken_wire.until_close,
        broken_wire.answer_twice,
    ):
        yield Fault(behaviour, WELL)
    # aiohttp keeps a connection on which a whole answer came unasked: the attempt finds that, and takes another one.
    for behaviour in (
        broken_wire.junk_when_idle,
        broken_wire.close_when_idle,
        broken_wire.answer_when_idle,
        broken_wire.timeout_when_idle,
    ):
        yield Fault(behaviour, WELL, warm_up=True, runs=(Run.ONCE,))


_LATER = {408: APIError, 500: ServerError, 502: ServerError, 503: ServerError, 504: ServerError}
_NO: dict[int, type[LinqError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: PayloadTooLargeError,
    418: APIError,
    422: UnprocessableEntityError,
}


def statuses() -> Iterator[Fault]:
    """Yield every status of the retry table."""
    for code, error in _LATER.items():
        yield Fault(answers.status(code), troubled(error))
    yield Fault(answers.status(425), troubled(APIError, Outcome.NOT_SENT))
    page = answers.status(502, b"<html>Bad Gateway</html>", Content_Type="text/html")
    yield Fault(replace(page, name="answer 502 with HTML"), troubled(ServerError))
    yield Fault(replace(answers.status(504, b""), name="answer 504 with an empty body"), troubled(ServerError))
    yield Fault(answers.status(503).storing(), troubled(ServerError))
    yield Fault(answers.cut_status(503), troubled(ServerError))
    yield Fault(answers.cut_status(400), refused(BadRequestError))
    yield Fault(answers.status(429), LIMITED)
    yield Fault(answers.status(429, Retry_After="1"), LIMITED)
    yield Fault(answers.status(429, Retry_After="3600"), refused(RateLimitError))
    for code, refusal in _NO.items():
        yield Fault(answers.status(code), refused(refusal))
    yield Fault(answers.status(409), refused(ConflictError, Outcome.UNKNOWN))
    for code in (301, 302, 303, 307, 308):
        for host in (None, "localhost"):
            yield Fault(answers.redirect(code, host), refused(RedirectError, Outcome.UNKNOWN))


SECTIONS = {
    "No connection": connections,
    "While the request goes out": requests,
    "No answer, or one that is not HTTP": no_answers,
    "A success that is cut short": cut_answers,
    "A whole success that cannot be read": odd_answers,
    "Nothing wrong": good_answers,
    "Statuses": statuses,
}
FAULTS = [fault for section in SECTIONS.values() for fault in section()]
