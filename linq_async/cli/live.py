"""What the commands that run a server share: lines written while it runs, and why it cannot listen."""

from __future__ import annotations

import asyncio
import errno
from typing import NoReturn

import attrs

from linq_async.cli.render import show

_PORT_ERRORS = frozenset({errno.EADDRINUSE, errno.EACCES})


@attrs.define(eq=False)
class LiveOutput:
    """Writes lines while a server runs, and ends it if nobody reads them any more."""

    error: OSError | None = None
    """Why the last line could not be written."""
    failed: asyncio.Event = attrs.field(factory=asyncio.Event)

    def show(self, line: str, *, err: bool = False) -> None:
        """Write one line. If it cannot be written, ``wait`` raises the error."""
        try:
            show(line, err=err)
        except OSError as error:
            self.error = error
            self.failed.set()

    async def wait(self) -> NoReturn:
        """Wait until a line cannot be written.

        Raises:
            OSError: Then.
        """
        await self.failed.wait()
        assert self.error is not None
        raise self.error


def listen_error(error: OSError | UnicodeError) -> str:
    """Return why the server cannot listen, and which option to change."""
    if not isinstance(error, OSError):
        return "invalid host name. Pass an address of this machine as --host."
    reason = (error.strerror or str(error)).rpartition(": ")[2]  # without asyncio's prefix
    if error.errno in _PORT_ERRORS:
        return f"{reason}. Try another --port, or 0."
    return f"{reason}. Pass an address of this machine as --host, or 0.0.0.0 for all of them."
