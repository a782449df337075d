"""``linq-async demo``: three sends to a sandbox in this process, each stored exactly once."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, NoReturn

import attrs
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from linq_async.attempts import Attempt
from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.render import facts, plain, result_of, show
from linq_async.cli.runtime import run
from linq_async.client import LinqClient
from linq_async.config import RetryPolicy
from linq_async.errors import LinqError
from linq_async.models.outgoing import NewChat
from linq_async.uploads import Upload

if TYPE_CHECKING:
    from linq_async.sandbox import Sandbox, SandboxMessage

SENDER = "+15175269229"
RECIPIENTS = ("+13343284472", "+13344713465")
SAMPLES = ("map.png", "quote.pdf")
"""The files that the demo attaches. They ship with the package."""
_NARROWEST_TABLE = 80
_RETRY = RetryPolicy(initial_delay=0.1, max_delay=0.4, max_elapsed=10.0)


@attrs.frozen(kw_only=True)
class Step:
    """One send, and what is done to the server before."""

    what: str
    text: str
    key: str
    files: tuple[tuple[str, bytes], ...] = ()
    spoil: Callable[[Sandbox], None] = lambda sandbox: None

    def new_chat(self) -> NewChat:
        """Return what is sent."""
        return NewChat(
            send_from=SENDER,
            phone_numbers=RECIPIENTS,
            display_name="Sample Chat",
            text=self.text,
            attachments=[Upload.from_bytes(data, filename=name) for name, data in self.files],
            idempotency_key=self.key,
        )


@attrs.frozen(kw_only=True)
class Row:
    """What came of one step."""

    step: Step
    attempts: tuple[str, ...]
    stored: int
    fault: str | None

    @property
    def ok(self) -> bool:
        """Whether the message is stored once, as it was sent, and the client knows."""
        return self.fault is None


def spoil_four_times(sandbox: Sandbox) -> None:
    """Answer 503 twice, and then take the message and break the connection."""
    sandbox.faults.answer(503, times=2)
    sandbox.faults.drop_after_storing()


def sample(name: str) -> bytes:
    """Return the content of a file that the demo attaches."""
    return resources.files("linq_async.cli").joinpath("samples", name).read_bytes()


def steps() -> tuple[Step, ...]:
    """Return the three sends; the first is the example of the API's documentation."""
    return (
        Step(
            what="The documentation's example",
            text="Hello! This is a sample message from Linq API v2.",
            key="msg-2024_01-23_abc123",
        ),
        Step(
            what="An image and a PDF",
            text="A map and a quote, as promised.",
            key="demo-image-and-pdf",
            files=tuple((name, sample(name)) for name in SAMPLES),
        ),
        Step(
            what="503 twice, then cut off once it is stored",
            text="This one has a hard way to go.",
            key="demo-hard-way",
            spoil=spoil_four_times,
        ),
    )


def demo() -> None:
    """Send three messages to a sandbox in this process, and count what it stored. Needs no account."""
    rows = run(play(steps()))
    show_rows(rows)
    for row in rows:
        if row.fault is not None:
            show(f"{row.step.what}: {plain(row.fault)}", err=True)
    if not all(row.ok for row in rows):
        raise typer.Exit(ExitCode.FAILED)
    show(f"{len(rows)} messages, each stored exactly once.")
    show("Next: linq-async sandbox, and send to it with linq-async send or from your own code.")


async def play(wanted: tuple[Step, ...]) -> list[Row]:
    """Send each step's message to one sandbox."""
    from linq_async.sandbox import Sandbox  # here, for no other command should pay for loading a server

    records: list[Attempt] = []
    async with (
        Sandbox(phone_numbers=[SENDER]) as sandbox,
        LinqClient(sandbox.token, base_url=sandbox.base_url, retry=_RETRY, on_attempt=records.append) as linq,
    ):
        rows: list[Row] = []
        for step in wanted:
            records.clear()
            step.spoil(sandbox)
            rows.append(await _play_one(linq, sandbox, step, records))
        return rows


async def _play_one(linq: LinqClient, sandbox: Sandbox, step: Step, records: list[Attempt]) -> Row:
    fault: str | None = None
    try:
        chat = await linq.chats.send(step.new_chat())
    except LinqError as error:
        fault = f"{type(error).__name__}: {error}"
    else:
        fault = _difference(sandbox, step, chat.message.id)
    return Row(
        step=step,
        attempts=tuple(result_of(record) for record in records if record.finished),
        stored=len(_stored(sandbox, step)),
        fault=fault,
    )


def _stored(sandbox: Sandbox, step: Step) -> list[SandboxMessage]:
    # Found by the text: a second copy under another key must be counted too.
    return [message for message in sandbox.messages if message.text == step.text]


def _difference(sandbox: Sandbox, step: Step, message_id: int) -> str | None:
    """Say how the server's store differs from what was sent; None where it does not."""
    stored = _stored(sandbox, step)
    if len(stored) != 1:
        return f"stored {len(stored)} times"
    (message,) = stored
    files = tuple((file.filename, file.read()) for file in message.attachments)
    as_sent = (message.id, message.idempotency_key, files) == (message_id, step.key, step.files)
    return None if as_sent else "stored otherwise than it was sent"


class _Console(Console):
    """A console that leaves it to the command to say what a closed pipe means."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise the BrokenPipeError that is being handled."""
        raise


def show_rows(rows: list[Row]) -> None:
    """Show the rows as a table, or one below the other if the terminal is too narrow for it."""
    console = _Console(highlight=False, markup=False, emoji=False)
    if console.width >= _NARROWEST_TABLE:
        console.print(table_of(rows))
        return
    for row in rows:
        show(row.step.what)
        facts_of_row: list[tuple[str, object]] = [
            ("attempts", " · ".join(row.attempts)),
            ("key", row.step.key),
            ("stored", row.stored),
        ]
        for line in facts(facts_of_row):
            show(line)


def table_of(rows: list[Row]) -> Table:
    """Draw the rows."""
    table = Table(title="Three messages to a local Linq", title_justify="left", show_lines=True)
    table.add_column("What")
    table.add_column("Attempts", no_wrap=True)
    table.add_column("Key", no_wrap=True)
    table.add_column("Stored", justify="right")
    for row in rows:
        table.add_row(
            Text(row.step.what),
            Text(" · ".join(row.attempts)),
            Text(row.step.key),
            Text(str(row.stored), style="green" if row.ok else "red"),
        )
    return table
