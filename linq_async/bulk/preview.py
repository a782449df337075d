"""A dry run: what a campaign would send, and how long it would take. Nothing is stored or sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import attrs

from linq_async.bulk.campaign import Campaign, Message, messages
from linq_async.bulk.errors import Problems, RowProblem
from linq_async.bulk.pacing import Pacing
from linq_async.bulk.recipients import RecipientFile
from linq_async.bulk.segments import segments


@attrs.frozen
class Preview:
    """What a campaign would send."""

    first: tuple[Message, ...]
    """The first messages."""
    rows: int
    """The number of all rows."""
    duplicates: int
    """Rows that would be skipped because an earlier row has the same recipient, and row id if there is one."""
    suppressed: int
    """Rows that would not be sent because the recipient must not be texted."""
    per_line: dict[str, int] = attrs.field(repr=False)
    """The number of messages of each line."""
    segments: dict[int, int]
    """The number of messages with each number of SMS segments."""
    unicode: int
    """The number of messages that need UCS-2, whose segments are less than half as long."""

    @property
    def messages(self) -> int:
        """The number of messages that would be sent."""
        return sum(self.per_line.values())

    def seconds(self, pacing: Pacing) -> float:
        """Return about how long the lines take at their pace; 0 without one."""
        return max((pacing.seconds_for(count) for count in self.per_line.values()), default=0.0)


def preview(
    campaign: Campaign, recipients: RecipientFile, *, suppressed: Iterable[str] = (), first: int = 3
) -> Preview:
    """Read a file, and return what the campaign would send. Blocks.

    Raises:
        BulkInputError: If the file has problems.
    """
    problems = Problems()
    shown: list[Message] = []
    listed, keys = frozenset(suppressed), set[str]()
    counts, lines, sizes = Counter[str](), Counter[str](), Counter[int]()
    for one in messages(campaign, recipients.rows(campaign.required)):
        if isinstance(one, RowProblem):
            problems.add(one)
            continue
        counts["rows"] += 1
        if one.recipient in listed or one.key in keys:
            counts["suppressed" if one.recipient in listed else "duplicates"] += 1
            continue
        keys.add(one.key)
        found = segments(one.text)
        lines[one.sender] += 1
        sizes[found.count] += 1
        counts["unicode"] += found.encoding == "UCS-2"
        if len(shown) < first:
            shown.append(one)
    problems.check("the file has problems")
    return Preview(
        tuple(shown),
        counts["rows"],
        counts["duplicates"],
        counts["suppressed"],
        dict(lines),
        dict(sorted(sizes.items())),
        counts["unicode"],
    )
