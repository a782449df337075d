"""What the exit codes of the commands mean."""

from __future__ import annotations

import enum

from linq_async.errors import Outcome


class ExitCode(enum.IntEnum):
    """How a command ended. Scripts may rely on the numbers."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNKNOWN = 3
    SENT = 4


_MEANINGS = {
    ExitCode.OK: "it worked",
    ExitCode.FAILED: "it failed: nothing was sent, or a check found a fault",
    ExitCode.USAGE: "called wrongly, or no usable token or base URL; nothing was sent",
    ExitCode.UNKNOWN: "it may have been sent: repeat it with the same --key, and nobody is texted twice",
    ExitCode.SENT: "it was sent, but the answer could not be read or shown: do not send it again",
}

# The first mark keeps the lines from being filled up into a paragraph.
HELP = "\b\nExit codes:\n" + "\n".join(f"  {code.value}  {meaning}" for code, meaning in _MEANINGS.items())

_BY_OUTCOME = {
    Outcome.NOT_SENT: ExitCode.FAILED,
    Outcome.UNKNOWN: ExitCode.UNKNOWN,
    Outcome.SENT: ExitCode.SENT,
}


def code_of(outcome: Outcome) -> ExitCode:
    """Return the exit code of a send that failed with this outcome."""
    return _BY_OUTCOME[outcome]
