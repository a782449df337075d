"""What the handlers of the server share."""

import logging
from collections.abc import Callable

import attrs
from aiohttp import web

from .controls import Controls
from .delivery_status_timer import DeliveryStatusTimer
from .faults import Faults
from .guard import Guard
from .keeper import Keeper
from .log import LoggedRequest, RequestLog
from .meter import Meter
from .refusals import RefusalError
from .state import State

OnRequest = Callable[[LoggedRequest], object]
NO_PROXY = RefusalError(421, "misdirected_request", "The sandbox is not a proxy")
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
    sandbox: Controls
    meter: Meter
    keeper: Keeper

    def refusal(self, request: web.Request, *, embeddable: bool = False) -> RefusalError | None:
        """Return why a request is refused: a foreign Host or Origin, or a target meant for a proxy."""
        if not request.raw_path.startswith("/"):
            return NO_PROXY
        return self.guard.refusal(request.headers, _address(request, "sockname"), embeddable=embeddable)

    def control_refusal(self, request: web.Request) -> RefusalError | None:
        """Return why a control call is refused."""
        if not request.raw_path.startswith("/"):
            return NO_PROXY
        own, peer = _address(request, "sockname"), _address(request, "peername")
        return self.guard.control_refusal(request.method, request.headers, own, peer)

    def call_listener(self, entry: LoggedRequest) -> None:
        """Call `on_request`. If it fails, that is logged, and the client sees no difference."""
        if self.on_request is not None:
            try:
                self.on_request(entry)
            except Exception:
                logger.exception("on_request failed")


def _address(request: web.Request, end: str) -> str | None:
    """Return the address of one end of a connection."""
    found = request.transport.get_extra_info(end) if request.transport is not None else None
    return str(found[0]) if found else None
