"""Fixtures of the unit tests."""

from tests.support.clients import time

__all__ = ["time"]
