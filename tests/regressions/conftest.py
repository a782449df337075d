"""Fixtures for the pinned tests."""

from tests.support.clients import time

__all__ = ["time"]
