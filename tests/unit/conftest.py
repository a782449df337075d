"""Fixtures of the unit tests."""

from .given import time

__all__ = ["time"]
