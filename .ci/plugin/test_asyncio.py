"""Beside pytest-asyncio, in strict mode: the fixtures serve tests on its loop."""

import pytest


@pytest.mark.asyncio
async def test_sends_over_a_refusal(linq, linq_sandbox):
    """A test on the plugin's loop sends over a refusal, and the message is stored."""
    linq_sandbox.faults.answer(503)
    number = linq_sandbox.phone_numbers[0]
    chat = await linq.chats.create(send_from=number, phone_numbers=["+13343284472"], text="Hello!")
    assert chat.attempts == 2
    assert [message.text for message in linq_sandbox.messages] == ["Hello!"]


@pytest.mark.asyncio
async def test_starts_empty(linq, linq_sandbox):
    """The next test has a sandbox of its own."""
    assert await linq.chats.find(phone_number=linq_sandbox.phone_numbers[0], phone_numbers=["+13343284472"]) is None
    assert len(linq_sandbox.requests) == 1
