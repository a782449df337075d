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
    INTERRUPTED = 130
    """As shells report a program that Ctrl-C has ended."""


_MEANINGS = {
    ExitCode.OK: "success",
    ExitCode.FAILED: "failed: nothing was sent, or a check failed",
    ExitCode.USAGE: "usage error, unreadable file, or no valid token or base URL: nothing was sent",
    ExitCode.UNKNOWN: "may have been sent: retry with the same --key, unless the output says otherwise",
    ExitCode.SENT: "sent, but the response could not be read or shown: do not send it again",
}

_BULK_MEANINGS = {
    ExitCode.OK: "all messages are sent or skipped, or as many as --limit allows",
    ExitCode.FAILED: "messages were not sent, for certain",
    ExitCode.USAGE: "usage error, or a problem with the file, the token or the base URL: nothing was sent",
    ExitCode.UNKNOWN: "messages may have been sent",
    ExitCode.SENT: "all messages are sent, but the summary could not be shown",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C or SIGTERM: run the same command again to send the rest",
}

_WIDTH = min(shutil.get_terminal_size().columns, 80) - 4  # click indents the list, and uses 80 columns at most


def _help(meanings: dict[ExitCode, str]) -> str:
    digits = max(len(str(code.value)) for code in meanings)
    lines = [
        textwrap.fill(
            f"{code.value:<{digits}}  {meaning}", _WIDTH, initial_indent="  ", subsequent_indent=" " * (digits + 4)
        )
        for code, meaning in meanings.items()
    ]
    # \b keeps click from wrapping the lines into a paragraph.
    return "\b\nExit codes:\n" + "\n".join(lines)


HELP: str = _help(_MEANINGS)
BULK_HELP: str = _help(_BULK_MEANINGS)

_BY_OUTCOME = {
    Outcome.NOT_SENT: ExitCode.FAILED,
    Outcome.UNKNOWN: ExitCode.UNKNOWN,
    Outcome.SENT: ExitCode.SENT,
}


def exit_code_for(outcome: Outcome) -> ExitCode:
    """Return the exit code of a send that failed with this outcome."""
    return _BY_OUTCOME[outcome]
