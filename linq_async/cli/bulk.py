"""``linq-async bulk``: send a campaign from a journal, and show what became of it.

What needs the extra ``bulk`` is imported by the commands, so that the others start as fast without it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from linq_async.cli.commands import UsageError
from linq_async.cli.exit_codes import BULK_HELP
from linq_async.cli.inputs import SEND_FROM_VARIABLE, read_text, require
from linq_async.cli.render import show
from linq_async.cli.runtime import TokenFile, find_token, is_exposed

app: typer.Typer = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Send to many recipients. A run can be killed and resumed, and nobody is texted twice.",
)

SEND_HELP = """Send a message to each row of a file. Run the same command again to resume.

FILE is CSV whose first line names the columns, or JSON Lines (.jsonl, .ndjson). The column phone_number has the
recipients. All rows are checked, and stored in the journal, before the first message is sent.
"""
RETRY_HELP = """Send the failed messages of a run again, each under a new key.

Only messages that were certainly not sent: never one that is unknown. Messages that are left are sent, too.
"""

People = Annotated[Path, typer.Argument(metavar="FILE", help="The recipients: CSV or JSON Lines.")]
SendFrom = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="NUMBER", envvar=SEND_FROM_VARIABLE, help="One of your lines. Can be repeated."),
]
TextOption = Annotated[
    str | None,
    typer.Option("--text", help='The text, such as "Hi {first_name}" or "Hi {name|you}"; - reads standard input.'),
]
JournalOption = Annotated[
    Path | None, typer.Option("--journal", metavar="PATH", help="The journal; created if it does not exist.")
]
CampaignName = Annotated[
    str | None,
    typer.Option("--campaign", metavar="NAME", help="What identifies the campaign; by default the name of FILE."),
]
Rate = Annotated[
    float,
    typer.Option("--rate", min=0, max=10_000, help="Messages a second for each line; 0 for as fast as possible."),
]
DailyCap = Annotated[
    int | None, typer.Option("--daily-cap", min=1, metavar="N", help="Messages for each line in any 24 hours.")
]
Concurrency = Annotated[
    int, typer.Option("--concurrency", min=1, max=10_000, metavar="N", help="Messages under way at once.")
]
Suppress = Annotated[
    Path | None, typer.Option("--suppress", metavar="PATH", help="Numbers that must not be texted, one per line.")
]
IdColumn = Annotated[
    str | None,
    typer.Option(
        "--id-column",
        metavar="NAME",
        help="What tells two messages to one recipient apart, such as an order number. Without it, the second is"
        " skipped.",
    ),
]
AttachColumn = Annotated[
    str | None,
    typer.Option("--attach-column", metavar="NAME", help="The path of a file to attach, whatever file it is."),
]
UrlColumn = Annotated[
    str | None, typer.Option("--url-column", metavar="NAME", help="A public URL that the server fetches.")
]
TextColumn = Annotated[
    str | None, typer.Option("--text-column", metavar="NAME", help="The whole text, in place of --text.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, metavar="N", help="Start at most N messages, for a test send.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check the file, and show what would be sent. Needs no token or journal.")
]
Encoding = Annotated[
    str, typer.Option("--encoding", help="The encoding of FILE and of the --suppress list. It is not guessed.")
]
Delimiter = Annotated[
    str | None, typer.Option("--delimiter", metavar="CHAR", help="The delimiter of a CSV file; found by default.")
]
Events = Annotated[bool, typer.Option("--json", help="Print events as JSON Lines to standard output, also on failure.")]
JournalFile = Annotated[
    Path, typer.Argument(metavar="JOURNAL", exists=True, dir_okay=False, help="The journal of the run.")
]


@app.command(help=SEND_HELP, short_help="Send a message to each row of a file.", epilog=BULK_HELP)
def send(
    people: People,
    send_from: SendFrom = None,
    text: TextOption = None,
    journal: JournalOption = None,
    campaign: CampaignName = None,
    rate: Rate = 1.0,
    daily_cap: DailyCap = None,
    concurrency: Concurrency = 20,
    suppress: Suppress = None,
    id_column: IdColumn = None,
    attach_column: AttachColumn = None,
    url_column: UrlColumn = None,
    text_column: TextColumn = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    encoding: Encoding = "utf-8-sig",
    delimiter: Delimiter = None,
    token_file: TokenFile = None,
    as_json: Events = False,
) -> None:
    """Load a campaign into its journal, or resume it, and send."""
    require(
        {
            f"--from (or {SEND_FROM_VARIABLE})": bool(send_from),
            "--text (or --text-column)": text is not None or text_column is not None,
            "--journal (or --dry-run)": journal is not None or dry_run,
        }
    )
    _check_extra()
    from linq_async.bulk import Campaign, Columns, Pacing, RecipientFile
    from linq_async.cli import bulk_run

    with bulk_run.failures_shown(as_json=as_json):
        columns = Columns(row_id=id_column, text=text_column, attachment=attach_column, attachment_url=url_column)
        sending = bulk_run.Sending(
            campaign=Campaign(
                name=people.stem if campaign is None else campaign,
                senders=tuple(send_from or ()),
                text=None if text is None else read_text(text),
                columns=columns,
            ),
            recipients=RecipientFile(people, encoding, delimiter),
            suppressed=bulk_run.suppressed(suppress, encoding),
        )
        pacing = Pacing(per_line=rate or None, daily_cap=daily_cap)
        if journal is None or dry_run:
            sending.show_preview(pacing, limit, as_json=as_json)
            return
        run = bulk_run.BulkRun(
            path=journal,
            token=_token(token_file),
            prepare=sending.load,
            pacing=pacing,
            concurrency=concurrency,
            limit=limit,
            as_json=as_json,
        )
        raise typer.Exit(run.send())


@app.command(help=RETRY_HELP, short_help="Send the failed messages of a run again.", epilog=BULK_HELP)
def retry(
    journal: JournalFile,
    rate: Rate = 1.0,
    daily_cap: DailyCap = None,
    concurrency: Concurrency = 20,
    suppress: Suppress = None,
    limit: Limit = None,
    encoding: Annotated[str, typer.Option("--encoding", help="The encoding of the --suppress list.")] = "utf-8-sig",
    token_file: TokenFile = None,
    as_json: Events = False,
) -> None:
    """Give the failed rows new keys, and send what is left."""
    _check_extra()
    from linq_async.bulk import Pacing
    from linq_async.cli import bulk_run

    with bulk_run.failures_shown(as_json=as_json):
        retrying = bulk_run.Retrying(bulk_run.suppressed(suppress, encoding))
        run = bulk_run.BulkRun(
            path=journal,
            token=_token(token_file),
            prepare=retrying.load,
            pacing=Pacing(per_line=rate or None, daily_cap=daily_cap),
            concurrency=concurrency,
            limit=limit,
            as_json=as_json,
        )
        raise typer.Exit(run.send())


@app.command(short_help="Show how far a run is.")
def status(
    journal: JournalFile,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")] = False,
) -> None:
    """Show how many messages of a run are sent, failed, unknown, skipped and left.

    While a send runs, the journal is in use, and this says so.
    """
    _check_extra()
    from linq_async.cli import bulk_report

    with bulk_report.failures_shown(as_json=as_json):
        bulk_report.show_status(journal, as_json=as_json)


@app.command(short_help="Show what became of each message.")
def report(
    journal: JournalFile,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print each row as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each row as JSON Lines.")] = False,
    svg: Annotated[
        Path | None,
        typer.Option("--svg", metavar="PATH", help="Draw the results over time, and the causes."),
    ] = None,
) -> None:
    """Show a summary of a run with the causes of failures, or what became of each row."""
    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json cannot both be given")
    _check_extra()
    from linq_async.cli import bulk_report

    with bulk_report.failures_shown(as_json=as_json):
        bulk_report.show_report(journal, svg, as_csv=as_csv, as_json=as_json)


def _token(token_file: Path | None) -> str:
    if is_exposed(token_file):
        show("warning: other users of this machine can read the token file. Set its mode to 600.", err=True)
    return find_token(token_file)


def _check_extra() -> None:
    if find_spec("phonenumbers") is None:
        raise UsageError("Bulk sends need an extra: pip install 'linq_async[bulk]'")
