"""UNSET: "not mentioned", as against None: "clear it"."""

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
        return "UNSET"  # pickle and copy then find it by its name


UNSET: Final = UnsetType()
"""Stands for an argument that is not given: the field is left out of the request, and stays as it is."""
