"""The command line, ``linq-async``. Requires the extra ``cli``."""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRA = frozenset({"rich", "typer"})


def main() -> None:
    """Run the command line. Exits with 2 if the extra is not installed."""
    try:
        from linq_async.cli.app import run  # imported here to report a missing extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
    else:
        run()
        return
    print("the command line needs the extra: pip install 'linq_async[cli]'", file=sys.stderr)
    sys.exit(2)
