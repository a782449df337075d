"""One exchange as it was recorded, and what can be wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from multidict import CIMultiDict

OWN_AGENT = "linq-async/"


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, as they crossed the wire."""

    method: str
    url: str
    """Path and query, percent-encoded; a scheme and a host before them are ignored."""
    request_headers: Mapping[str, str] = field(default_factory=CIMultiDict[str])
    request_body: bytes = b""
    status: int | None = None
    """None without a response to check."""
    response_headers: Mapping[str, str] = field(default_factory=CIMultiDict[str])
    response_body: bytes = b""

    @property
    def from_client(self) -> bool:
        """Whether linq_async made the request, and not a test by hand."""
        return self.request_headers.get("User-Agent", "").startswith(OWN_AGENT)

    def __str__(self) -> str:
        return f"{self.method} {self.url.partition('?')[0]} -> {self.status or 'no answer'}"


@dataclass(frozen=True)
class Violation:
    """One thing in an exchange that the contract does not allow."""

    where: str
    """`request.` followed by route, token, query, type or body; `answer.` followed by status, type, headers or body."""
    what: str
    operation: str | None = None
    status: int | None = None
    code: str | None = None
    """The code in the error that was answered."""
    keyword: str | None = None
    """The rule of the schema that was broken: `required`, `type`, ..."""
    place: str = ""
    """The place in the query or the body: `/message/text`, or the name of a header."""
    value: object = None

    @property
    def in_request(self) -> bool:
        """Whether the request is at fault."""
        return self.where.startswith("request.")

    def __str__(self) -> str:
        place = f" at {self.place}" if self.place else ""
        return f"{self.where}{place}: {self.what}"


class ContractError(AssertionError):
    """An exchange is outside the contract."""

    def __init__(self, exchange: Exchange, violations: list[Violation]) -> None:
        super().__init__(f"{exchange}\n" + "\n".join(f"  {violation}" for violation in violations))
        self.exchange = exchange
        self.violations = violations
