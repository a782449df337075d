"""The scripts in docs/tools, which are not in a package."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from .blocks import DOCS


def tool(name: str) -> ModuleType:
    """Load a script as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
