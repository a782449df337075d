"""UNSET leaves a field unchanged, whereas None clears it."""

from __future__ import annotations

from typing import Final, Literal, final


@final
class UnsetType:
    """The type of ``UNSET``, its only value."""

    __slots__ = ()
    _only: UnsetType

    def __new__(cls) -> UnsetType:
        if not hasattr(cls, "_only"):
            cls._only = super().__new__(cls)
        return cls._only

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "UNSET"

    def __reduce__(self) -> str:
        return "UNSET"  # pickle and copy look up the name


UNSET: Final = UnsetType()
"""The value of an argument that is not passed. The field is left out of the request and is not changed."""
