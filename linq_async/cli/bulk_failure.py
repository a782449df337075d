"""Why a campaign is not sent, as shown to people and to programs."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import attrs
import typer

from linq_async.bulk import BulkInputError, CampaignChange, CampaignChangedError
from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.failure import Failure, failure_from
from linq_async.cli.render import discard_unwritable, printable, show, show_json, write_error
from linq_async.errors import LinqError, Outcome

UNDER_WAY = "Some messages were under way. Run the same command again: under the same keys, nobody is texted twice."


@contextmanager
def failures_shown(*, as_json: bool) -> Generator[None]:
    """Turn an error of the package into its lines, its JSON and its exit code."""
    try:
        yield
    except LinqError as error:
        failure, details = failure_of(error)
        raise typer.Exit(show_failure(failure, details, as_json=as_json)) from None


def failure_of(error: LinqError) -> tuple[Failure, list[str]]:
    """Return the failure that an error amounts to, and its details as lines of text."""
    failure, details = failure_from(error, error.idempotency_key), list[str]()
    report, code = dict(failure.report), failure.code
    if isinstance(error, BulkInputError):
        report["message"], *details = str(error).splitlines()
        report |= {"problems": [attrs.asdict(problem) for problem in error.problems], "count": error.count}
        code = ExitCode.USAGE
    elif isinstance(error, CampaignChangedError):
        details = [_changed(change) for change in error.changes]
        report["changes"] = [attrs.asdict(change) for change in error.changes]
        code = ExitCode.USAGE
    return attrs.evolve(failure, report=report, code=code), details


def _changed(change: CampaignChange) -> str:
    if change.name == "file":
        return "file: its content has changed"
    return f"{change.name}: was {change.old!r}, is now {change.new!r}"


def failure_under_way(error: BaseException, *, begun: bool) -> Failure:
    """Return the failure of a run that ended with an error. With ``begun``, some messages may have been sent."""
    message = str(error) if isinstance(error, LinqError) else "an unexpected error: please report it"
    return attrs.evolve(
        Failure.of(
            type(error).__name__,
            message,
            ExitCode.UNKNOWN if begun else ExitCode.FAILED,
            outcome=Outcome.UNKNOWN if begun else Outcome.NOT_SENT,
        ),
        advice=UNDER_WAY if begun else None,
    )


def show_failure(failure: Failure, details: list[str], *, as_json: bool) -> ExitCode:
    """Write a failure to standard error, and with JSON also to standard output. Return its exit code."""
    heading = "not sent" if Outcome(failure.report["outcome"]) is Outcome.NOT_SENT else "stopped"
    lines = [
        f"{heading}: {printable(failure.report['message'])}",
        *[f"  {printable(line)}" for line in details],
        failure.next_step,
    ]
    try:
        if as_json:
            show_json(failure.as_dict(), indent=None)
    except OSError as error:
        discard_unwritable()
        lines.append(write_error(error))
    try:
        for line in lines:
            show(line, err=True)
    except OSError:
        discard_unwritable()
    return failure.code
