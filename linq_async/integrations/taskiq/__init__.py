"""taskiq: sends that outlive the process, on Valkey or Redis, and a bot whose events are handled by workers.

Requires the extra ``taskiq``. docs/queue.md explains the settings and how it grows.

Example:
    broker = ReclaimingBroker("redis://localhost")
    sends = register(broker, LinqClient)  # in the module that the workers import

    key = await sends.create_chat(NewChat(send_from=LINE, phone_numbers=[number], text="Hello!"))  # anywhere
"""

from linq_async.integrations.taskiq.broker import ReclaimingBroker
from linq_async.integrations.taskiq.dead_letters import DeadLetter, DeadLetters, Retried
from linq_async.integrations.taskiq.events import register_bot
from linq_async.integrations.taskiq.pace import Pace, Turn, pace
from linq_async.integrations.taskiq.sends import QueueError, Sends, SendStatus, register

__all__ = [
    "DeadLetter",
    "DeadLetters",
    "Pace",
    "QueueError",
    "ReclaimingBroker",
    "Retried",
    "SendStatus",
    "Sends",
    "Turn",
    "pace",
    "register",
    "register_bot",
]
