"""Fixtures for the pinned tests."""

from tests.support.clients import clock

__all__ = ["clock"]
