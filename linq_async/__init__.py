"""An async client of the Linq Partner API v2: iMessage, RCS and SMS, with an outcome that is always known."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linq_async._public import *  # noqa: F403
    from linq_async._public import __all__ as __all__
else:  # with __getattr__ in sight, a type checker would accept any name

    def __getattr__(name: str) -> object:
        """Import the public names with the first that is used: the pytest plugin, which every run loads, uses none."""
        if name.startswith("__") and name not in {"__all__", "__version__"}:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        public = importlib.import_module("linq_async._public")
        if name != "__all__" and name not in public.__all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(public, name)
        return value

    def __dir__() -> list[str]:
        """Return the public names."""
        return __getattr__("__all__")
