"""Bulk sends: a campaign to many recipients that can be killed, resumed, paced and reported.

Needs the extra ``bulk``: ``pip install "linq_async[bulk]"``.

Example:
    campaign = Campaign(name="may", senders=["+15175269229"], text="Hi {first_name}, we open at nine.")
    async with LinqClient() as linq, Journal("may.db") as journal:
        await journal.load(campaign, RecipientFile("people.csv"))
        sender = BulkSender(linq, journal)
        async for result in sender.run():
            print(result.row, result.state.label)
    print(sender.counts)
"""

from linq_async.bulk.campaign import Campaign, Columns, Message
from linq_async.bulk.errors import (
    BulkInputError,
    CampaignChange,
    CampaignChangedError,
    JournalError,
    JournalInUseError,
    RowProblem,
)
from linq_async.bulk.journal import Journal
from linq_async.bulk.keys import idempotency_key, line_of
from linq_async.bulk.pacing import Pacing
from linq_async.bulk.preview import Preview, preview
from linq_async.bulk.progress import Progress, Wait, WaitReason
from linq_async.bulk.recipients import RecipientFile, read_suppressed
from linq_async.bulk.records import Loaded, RunInfo, Slice, Timeline
from linq_async.bulk.report import csv_header, csv_line, row_to_dict, svg
from linq_async.bulk.rows import Counts, RowResult, State
from linq_async.bulk.segments import Segments, segments
from linq_async.bulk.sender import BulkSender
from linq_async.bulk.stopping import StopCode, Stopped, StopRules
from linq_async.bulk.template import MergeField, Template

__all__ = [
    "BulkInputError",
    "BulkSender",
    "Campaign",
    "CampaignChange",
    "CampaignChangedError",
    "Columns",
    "Counts",
    "Journal",
    "JournalError",
    "JournalInUseError",
    "Loaded",
    "MergeField",
    "Message",
    "Pacing",
    "Preview",
    "Progress",
    "RecipientFile",
    "RowProblem",
    "RowResult",
    "RunInfo",
    "Segments",
    "Slice",
    "State",
    "StopCode",
    "StopRules",
    "Stopped",
    "Template",
    "Timeline",
    "Wait",
    "WaitReason",
    "csv_header",
    "csv_line",
    "idempotency_key",
    "line_of",
    "preview",
    "read_suppressed",
    "row_to_dict",
    "segments",
    "svg",
]
