"""What the handlers of the server share."""

import logging
from collections.abc import Callable

import attrs
from aiohttp import web

from .delivery_status_timer import DeliveryStatusTimer
from .faults import Faults
from .guard import Guard
from .log import LoggedRequest, RequestLog
from .refusals import RefusalError
from .state import State

OnRequest = Callable[[LoggedRequest], object]
logger: logging.Logger = logging.getLogger("linq_async.sandbox")


@attrs.frozen
class AppContext:
    """What the handlers share."""

    state: State
    log: RequestLog
    faults: Faults
    guard: Guard
    on_request: OnRequest | None
    delivery_status_timer: DeliveryStatusTimer

    def refusal(self, request: web.Request, *, embeddable: bool = False) -> RefusalError | None:
        """Return why a request is refused: a foreign Host or Origin, or a target meant for a proxy."""
        if not request.raw_path.startswith("/"):
            return RefusalError(421, "misdirected_request", "The sandbox is not a proxy")
        own = request.transport.get_extra_info("sockname") if request.transport is not None else None
        return self.guard.refusal(request.headers, own[0] if own else None, embeddable=embeddable)

    def call_listener(self, entry: LoggedRequest) -> None:
        """Call `on_request`. If it fails, that is logged, and the client sees no difference."""
        if self.on_request is not None:
            try:
                self.on_request(entry)
            except Exception:
                logger.exception("on_request failed")
