"""Requests that are refused, and why."""

from collections.abc import Mapping

from .limits import StorageFullError


class RefusalError(Exception):
    """A request is refused with a status and a reason; the route chooses the error format."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers: dict[str, str] = dict(headers or {})


def missing(name: str) -> RefusalError:
    """Refuse with 400 because a parameter is missing."""
    return RefusalError(400, "missing_params", f"Missing required parameter: {name}")


def missing_phone(name: str) -> RefusalError:
    """Refuse with the documented 400 because a phone number is missing."""
    return RefusalError(400, "missing_phone", f"Missing required parameter: {name}")


def malformed(detail: str) -> RefusalError:
    """Refuse with 400 because the request cannot be parsed."""
    return RefusalError(400, "bad_request", detail)


def invalid(detail: str) -> RefusalError:
    """Refuse with the documented 422 because a value is not valid."""
    return RefusalError(422, "invalid_params", detail)


def too_large(detail: str) -> RefusalError:
    """Refuse with 413 because a body, or a part of it, is over a limit."""
    return RefusalError(413, "payload_too_large", detail)


def storage_full(error: StorageFullError) -> RefusalError:
    """Refuse with 507 because the sandbox is full."""
    return RefusalError(507, "insufficient_storage", str(error))


def not_found(what: str) -> RefusalError:
    """Refuse with the documented 404."""
    return RefusalError(404, "not_found", f"{what} not found")
