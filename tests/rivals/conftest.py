"""Fixtures of the pinned tests."""

from unit.given import time

__all__ = ["time"]
