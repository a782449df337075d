"""How much a sandbox accepts and keeps."""

import sys
from collections.abc import Iterable

import attrs

MIB = 1 << 20
# About what one stored record takes besides its texts: the object, its times, its entries in dicts.
RECORD_BYTES = 1024


def checked_limit(_: object, field: "attrs.Attribute[int]", value: object) -> None:
    """Refuse a limit that is not a positive whole number."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{field.name} must be a whole number from 1 on, not {value!r}")


@attrs.frozen(kw_only=True)
class Limits:
    """What a sandbox accepts and keeps; the defaults leave room for large tests.

    A request over `text_bytes`, `file_bytes` or `body_bytes` is refused with 413. One that would need more than
    `memory_bytes`, `disk_bytes` or `disk_files` is refused with 507, and so is every other one that stores
    something, until `Sandbox.reset()`. Nothing that was stored is ever dropped to make room.

    Raises:
        ValueError: If a limit is not a positive whole number.
    """

    text_bytes: int = attrs.field(default=2 * MIB, validator=checked_limit)
    """The most text of one request, in bytes: its JSON, or the fields of its form."""
    file_bytes: int = attrs.field(default=256 * MIB, validator=checked_limit)
    """The largest file, in bytes."""
    body_bytes: int = attrs.field(default=512 * MIB, validator=checked_limit)
    """The largest request body, in bytes, all its files included."""
    memory_bytes: int = attrs.field(default=256 * MIB, validator=checked_limit)
    """Texts, numbers and files up to 1 MiB, in bytes: enough for some 70,000 chats with one message each."""
    disk_bytes: int = attrs.field(default=1024 * MIB, validator=checked_limit)
    """Files over 1 MiB, in bytes."""
    disk_files: int = attrs.field(default=256, validator=checked_limit)
    """How many files over 1 MiB are kept; each one takes a file descriptor."""
    logged_requests: int = attrs.field(default=10_000, validator=checked_limit)
    """How many requests the log keeps: the latest ones."""
    logged_deliveries: int = attrs.field(default=10_000, validator=checked_limit)
    """How many attempts to deliver a webhook the log keeps: the latest ones."""
    waiting_deliveries: int = attrs.field(default=10_000, validator=checked_limit)
    """How many deliveries may wait, for all subscriptions together. Those beyond are dropped, and logged as such."""
    delivery_bytes: int = attrs.field(default=64 * MIB, validator=checked_limit)
    """The bodies of the deliveries that wait, in bytes, and separately those of the log."""


class StorageFullError(Exception):
    """A request would store more than the limits allow."""


class Budget:
    """An amount that is taken and given back, up to a limit."""

    def __init__(self, what: str, limit: int) -> None:
        self.what = what
        self.limit = limit
        self.used: int = 0

    def take(self, amount: int) -> None:
        """Take an amount.

        Raises:
            StorageFullError: If there is not that much left; then nothing is taken.
        """
        if self.used + amount > self.limit:
            raise StorageFullError(f"The sandbox is full: its limit is {self.limit} {self.what}. Reset or restart it")
        self.used += amount

    def give_back(self, amount: int) -> None:
        """Give back what was taken."""
        self.used -= amount


class Storage:
    """What is left of the limits on storing."""

    def __init__(self, limits: Limits) -> None:
        self.memory: Budget = Budget("bytes in memory", limits.memory_bytes)
        self.disk: Budget = Budget("bytes of large files", limits.disk_bytes)
        self.files: Budget = Budget("large files", limits.disk_files)


def cost(texts: Iterable[str | None], things: int) -> int:
    """Estimate the bytes of memory that texts and a number of records take."""
    return things * RECORD_BYTES + sum(sys.getsizeof(text) for text in texts if text is not None)
