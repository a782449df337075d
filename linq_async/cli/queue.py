"""``linq-async queue``: the dead letters of a queue.

What needs the extra ``taskiq`` is imported by the commands, so that the others start as fast without it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import attrs
import typer

from linq_async.cli.commands import UsageError
from linq_async.cli.exit_codes import HELP as EXIT_CODES
from linq_async.cli.render import printable, show, show_json
from linq_async.cli.runtime import AsJson, run
from linq_async.errors import ConfigurationError

if TYPE_CHECKING:
    from linq_async.integrations.taskiq import DeadLetter, DeadLetters

T = TypeVar("T")

BROKER_VARIABLE = "LINQ_BROKER"
app: typer.Typer = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look at the messages that the workers of a queue gave up, and send them again.",
)
BrokerOption = Annotated[
    str | None,
    typer.Option(
        "--broker",
        metavar="URL",
        envvar=BROKER_VARIABLE,
        show_envvar=True,
        help="The server of the queue, such as redis://localhost. A password belongs in the variable: other users"
        " of this machine see options.",
    ),
]
QueueName = Annotated[str, typer.Option("--queue", metavar="NAME", help="The queue_name of the broker.")]
Keys = Annotated[list[str] | None, typer.Argument(metavar="KEY", help="The keys of the letters. By default all.")]

RETRY_HELP = """Enqueue dead letters again, each under a new key.

Only messages that were certainly not sent: never one that is unknown. Events are handled again.
"""


@app.command(short_help="Show the messages that were given up.", epilog=EXIT_CODES)
def dead(broker: BrokerOption = None, queue: QueueName = "linq", as_json: AsJson = False) -> None:
    """Show the key, the outcome and the cause of each message that was given up. Shows neither texts nor numbers."""

    async def read(letters: DeadLetters) -> tuple[list[DeadLetter], int]:
        return await letters.read(), await letters.count_undecodable()

    letters, undecodable = _with_letters(broker, queue, read)
    if as_json:
        dicts = [_as_dict(letter) for letter in letters]
        show_json({"dead_letters": dicts, "undecodable": undecodable})
        return
    for letter in letters:
        cause = letter.error if letter.status is None else f"{letter.error} {letter.status}"
        time = datetime.fromtimestamp(letter.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        show(printable(f"{letter.key}  {time}Z  {letter.operation}  {letter.outcome.value}  {cause}"))
    show(f"{len(letters)} dead letters, {undecodable} undecodable bodies")


def _as_dict(letter: DeadLetter) -> dict[str, Any]:
    fields = attrs.asdict(letter, filter=lambda attribute, _: attribute.name != "data")
    return fields | {
        "outcome": letter.outcome.value,
        "at": datetime.fromtimestamp(letter.at, UTC).isoformat(timespec="seconds"),
    }


@app.command(help=RETRY_HELP, short_help="Enqueue messages again that were not sent.", epilog=EXIT_CODES)
def retry(keys: Keys = None, broker: BrokerOption = None, queue: QueueName = "linq", as_json: AsJson = False) -> None:
    """Enqueue letters again, and show their new keys."""
    retried = _with_letters(broker, queue, lambda letters: letters.retry(keys or None))
    if as_json:
        show_json({"retried": [attrs.asdict(one) for one in retried]})
        return
    for one in retried:
        show(printable(f"{one.key} -> {one.new_key}"))
    show(f"{len(retried)} messages are in the queue again")


@app.command(short_help="Delete dead letters.", epilog=EXIT_CODES)
def delete(
    keys: Annotated[list[str], typer.Argument(metavar="KEY", help="The keys of the letters.")],
    broker: BrokerOption = None,
    queue: QueueName = "linq",
    as_json: AsJson = False,
) -> None:
    """Delete letters for good, such as those of messages that were sent after all."""
    count = _with_letters(broker, queue, lambda letters: letters.delete(keys))
    if as_json:
        show_json({"deleted": count})
    else:
        show(f"{count} deleted")


def _with_letters(url: str | None, queue: str, act: Callable[[DeadLetters], Coroutine[Any, Any, T]]) -> T:
    """Do something with the dead letters of a queue."""
    if url is None:
        raise UsageError(f"Missing option: --broker (or {BROKER_VARIABLE}).")
    check_extra()
    from linq_async.cli.broker import connected
    from linq_async.integrations.taskiq import DeadLetters

    async def main() -> T:
        async with connected(url) as redis:
            return await act(DeadLetters(redis, queue))

    try:
        return run(main())
    except ConfigurationError as error:
        raise UsageError(error.message) from None


def check_extra() -> None:
    """Raise a usage error if the extra ``taskiq`` is not installed."""
    if find_spec("taskiq_redis") is None:
        raise UsageError("Queues need an extra: pip install 'linq_async[taskiq]'")
