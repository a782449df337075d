"""A local Linq: a real HTTP server on loopback that plays Linq Partner API v2."""

from .changes import Change, Changes, ChangesLostError
from .conditions import Conditions
from .events import Event
from .faults import Faults
from .files import SandboxAttachment
from .keep_file import KeepError
from .limits import Limits
from .log import LoggedRequest, RequestLog
from .observers import ObservedExchange, ObservedResponse, observe
from .records import SandboxChat, SandboxDelivery, SandboxMessage, SandboxReaction, SandboxSubscription
from .server import DEFAULT_PHONE_NUMBERS, DEFAULT_TOKEN, Sandbox
from .webhooks.log import Deliveries

__all__ = [
    "DEFAULT_PHONE_NUMBERS",
    "DEFAULT_TOKEN",
    "Change",
    "Changes",
    "ChangesLostError",
    "Conditions",
    "Deliveries",
    "Event",
    "Faults",
    "KeepError",
    "Limits",
    "LoggedRequest",
    "ObservedExchange",
    "ObservedResponse",
    "RequestLog",
    "Sandbox",
    "SandboxAttachment",
    "SandboxChat",
    "SandboxDelivery",
    "SandboxMessage",
    "SandboxReaction",
    "SandboxSubscription",
    "observe",
]
