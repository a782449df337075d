"""``linq-async demo``: sends three messages to a sandbox in this process, and checks that each is stored once."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING

import attrs
import typer
from rich.table import Table
from rich.text import Text

from linq_async.attempts import Attempt
from linq_async.cli.console import PlainConsole
from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.render import aligned, describe_attempt, printable, show
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
_MIN_TABLE_WIDTH = 80
_RETRY = RetryPolicy(initial_delay=0.1, max_delay=0.4, max_elapsed=10.0)


@attrs.frozen(kw_only=True)
class Step:
    """One message to send, and the faults to script before it is sent."""

    title: str
    text: str
    key: str
    files: tuple[tuple[str, bytes], ...] = ()
    script_faults: Callable[[Sandbox], None] = lambda sandbox: None

    def new_chat(self) -> NewChat:
        """Return the arguments of the send."""
        return NewChat(
            send_from=SENDER,
            phone_numbers=RECIPIENTS,
            display_name="Sample Chat",
            text=self.text,
            attachments=[Upload.from_bytes(data, filename=name) for name, data in self.files],
            idempotency_key=self.key,
        )


@attrs.frozen(kw_only=True)
class StepResult:
    """The result of one step."""

    step: Step
    attempts: tuple[str, ...]
    stored: int
    """How many messages with the step's text the server stored."""
    problem: str | None

    @property
    def ok(self) -> bool:
        """Whether the message is stored exactly once, as it was sent, and the client returned it."""
        return self.problem is None


def script_four_attempts(sandbox: Sandbox) -> None:
    """Make the sandbox answer 503 twice, then store the message but drop the connection."""
    sandbox.faults.answer(503, times=2)
    sandbox.faults.drop_after_storing()


def sample(name: str) -> bytes:
    """Return the content of a file that the demo attaches."""
    return resources.files("linq_async.cli").joinpath("samples", name).read_bytes()


def steps() -> tuple[Step, ...]:
    """Return the three steps. The first sends the example from the page "Create Chat"."""
    return (
        Step(
            title="The documentation's example",
            text="Hello! This is a sample message from Linq API v2.",
            key="msg-2024_01-23_abc123",
        ),
        Step(
            title="An image and a PDF",
            text="A map and a quote, as promised.",
            key="demo-image-and-pdf",
            files=tuple((name, sample(name)) for name in SAMPLES),
        ),
        Step(
            title="503 twice, then dropped once stored",
            text="This one needs four attempts.",
            key="demo-four-attempts",
            script_faults=script_four_attempts,
        ),
    )


def demo() -> None:
    """Send three messages to a sandbox in this process, and count what it stored. Needs no account."""
    results = run(run_steps(steps()))
    show_results(results)
    for result in results:
        if result.problem is not None:
            show(f"{result.step.title}: {printable(result.problem)}", err=True)
    if not all(result.ok for result in results):
        raise typer.Exit(ExitCode.FAILED)
    show(f"{len(results)} messages, each stored exactly once.")
    show("Next: run linq-async sandbox, and send to it with linq-async send or from your own code.")


async def run_steps(steps: tuple[Step, ...]) -> list[StepResult]:
    """Send the message of each step to one sandbox."""
    from linq_async.sandbox import Sandbox  # imported here, so that other commands do not load a server

    records: list[Attempt] = []
    async with (
        Sandbox(phone_numbers=[SENDER]) as sandbox,
        LinqClient(sandbox.token, base_url=sandbox.base_url, retry=_RETRY, on_attempt=records.append) as linq,
    ):
        results: list[StepResult] = []
        for step in steps:
            records.clear()
            step.script_faults(sandbox)
            problem = await _send(linq, sandbox, step)
            attempts = tuple(describe_attempt(record) for record in records if record.finished)
            stored = len(_stored(sandbox, step))
            results.append(StepResult(step=step, attempts=attempts, stored=stored, problem=problem))
        return results


async def _send(linq: LinqClient, sandbox: Sandbox, step: Step) -> str | None:
    """Send the message of a step. Return what is wrong with the stored message, or None if nothing is."""
    try:
        chat = await linq.chats.send(step.new_chat())
    except LinqError as error:
        return f"{type(error).__name__}: {error}"
    stored = _stored(sandbox, step)
    if len(stored) != 1:
        return f"stored {len(stored)} times"
    (message,) = stored
    files = tuple((file.filename, file.read()) for file in message.attachments)
    as_sent = (message.id, message.idempotency_key, files) == (chat.message.id, step.key, step.files)
    return None if as_sent else "the stored message differs from the one sent"


def _stored(sandbox: Sandbox, step: Step) -> list[SandboxMessage]:
    # Matched by text, so that a duplicate under another key is counted too.
    return [message for message in sandbox.messages if message.text == step.text]


def show_results(results: list[StepResult]) -> None:
    """Show the results as a table, or as a list if the terminal is too narrow."""
    console = PlainConsole()
    if console.width >= _MIN_TABLE_WIDTH:
        console.print(results_table(results))
        return
    for result in results:
        show(result.step.title)
        pairs: list[tuple[str, object]] = [
            ("attempts", " · ".join(result.attempts)),
            ("key", result.step.key),
            ("stored", result.stored),
        ]
        for line in aligned(pairs):
            show(line)


def results_table(results: list[StepResult]) -> Table:
    """Return the results as a table."""
    table = Table(title="Three messages to a local Linq", title_justify="left", show_lines=True)
    table.add_column("Message")
    table.add_column("Attempts", no_wrap=True)
    table.add_column("Key", no_wrap=True)
    table.add_column("Stored", justify="right")
    for result in results:
        table.add_row(
            Text(result.step.title),
            Text(" · ".join(result.attempts)),
            Text(result.step.key),
            Text(str(result.stored), style="green" if result.ok else "red"),
        )
    return table
