"""The exit codes of all commands."""

from __future__ import annotations

import enum

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
    ExitCode.USAGE: "usage error, or no valid token or base URL: nothing was sent",
    ExitCode.UNKNOWN: "may have been sent: retry with the same --key, and nobody is texted twice",
    ExitCode.SENT: "sent, but the response could not be read or shown: do not send it again",
}

# \b keeps click from wrapping the lines into a paragraph.
HELP = "\b\nExit codes:\n" + "\n".join(f"  {code.value}  {meaning}" for code, meaning in _MEANINGS.items())

_BY_OUTCOME = {
    Outcome.NOT_SENT: ExitCode.FAILED,
    Outcome.UNKNOWN: ExitCode.UNKNOWN,
    Outcome.SENT: ExitCode.SENT,
}


def exit_code_for(outcome: Outcome) -> ExitCode:
    """Return the exit code of a send that failed with this outcome."""
    return _BY_OUTCOME[outcome]
