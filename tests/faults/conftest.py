"""Fixtures for the fault tests."""

import pytest

from .addresses import Certificates, make_certificates


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    """Certificates of every kind, made once."""
    return make_certificates()
