"""Requests that are refused, and why."""

from collections.abc import Mapping

from .limits import StorageFullError


class RefusalError(Exception):
    """A request is refused with a status and a reason; the route picks the error format."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def missing(name: str) -> RefusalError:
    """Refuse with 400 for a parameter that is not there."""
    return RefusalError(400, "missing_params", f"Missing required parameter: {name}")


def missing_phone(name: str) -> RefusalError:
    """Refuse with the documented 400 for a sender's or a line's number that is not there."""
    return RefusalError(400, "missing_phone", f"Missing required parameter: {name}")


def malformed(detail: str) -> RefusalError:
    """Refuse with 400 for a request that cannot be read as what it has to be."""
    return RefusalError(400, "bad_request", detail)


def invalid(detail: str) -> RefusalError:
    """Refuse with the documented 422 for a value that is understood and rejected."""
    return RefusalError(422, "invalid_params", detail)


def too_large(detail: str) -> RefusalError:
    """Refuse with 413 for a body, or a part of it, that is over a limit."""
    return RefusalError(413, "payload_too_large", detail)


def storage_full(error: StorageFullError) -> RefusalError:
    """Refuse with 507 for what there is no room to store."""
    return RefusalError(507, "insufficient_storage", str(error))


def not_found(what: str) -> RefusalError:
    """Refuse with the documented 404."""
    return RefusalError(404, "not_found", f"{what} not found")
