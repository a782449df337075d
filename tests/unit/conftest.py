"""Fixtures of the unit tests."""

from tests.support.clients import clock

__all__ = ["clock"]
