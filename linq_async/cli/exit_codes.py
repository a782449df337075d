"""The exit codes of all commands."""

from __future__ import annotations

import enum
import shutil
import textwrap

from linq_async.errors import Outcome


class ExitCode(enum.IntEnum):
    """The exit code of a command. The numbers are stable: scripts may rely on them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNKNOWN = 3
    SENT = 4


_MEANINGS = {
    ExitCode.OK: "success",
    ExitCode.FAILED: "failed: nothing was sent, or a check failed",
    ExitCode.USAGE: "usage error, unreadable file, or no valid token or base URL: nothing was sent",
    ExitCode.UNKNOWN: "may have been sent: retry with the same --key, unless the output says otherwise",
    ExitCode.SENT: "sent, but the response could not be read or shown: do not send it again",
}

_WIDTH = min(shutil.get_terminal_size().columns, 80) - 4  # click indents the list, and uses 80 columns at most
_LINES = [
    textwrap.fill(f"{code.value}  {meaning}", _WIDTH, initial_indent="  ", subsequent_indent=" " * 5)
    for code, meaning in _MEANINGS.items()
]
# \b keeps click from wrapping the lines into a paragraph.
HELP: str = "\b\nExit codes:\n" + "\n".join(_LINES)

_BY_OUTCOME = {
    Outcome.NOT_SENT: ExitCode.FAILED,
    Outcome.UNKNOWN: ExitCode.UNKNOWN,
    Outcome.SENT: ExitCode.SENT,
}


def exit_code_for(outcome: Outcome) -> ExitCode:
    """Return the exit code of a send that failed with this outcome."""
    return _BY_OUTCOME[outcome]
