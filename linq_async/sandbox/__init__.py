"""A local Linq: a real HTTP server on loopback that plays Linq Partner API v2."""

from .faults import Faults
from .files import SandboxAttachment
from .limits import Limits
from .log import LoggedRequest, RequestLog
from .server import DEFAULT_PHONE_NUMBERS, DEFAULT_TOKEN, Sandbox
from .state import SandboxChat, SandboxMessage

__all__ = [
    "DEFAULT_PHONE_NUMBERS",
    "DEFAULT_TOKEN",
    "Faults",
    "Limits",
    "LoggedRequest",
    "RequestLog",
    "Sandbox",
    "SandboxAttachment",
    "SandboxChat",
    "SandboxMessage",
]
