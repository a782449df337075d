"""Beside whatever is installed: plain tests, and synchronous ones that use the fixtures."""

import asyncio
import json
import unittest
import urllib.request

import pytest


def test_of_another_project():
    """A test that uses no fixture of the plugin runs."""


def test_own_loop(linq, linq_sandbox):
    """A synchronous test runs a loop of its own, over a refusal, and the message is stored."""
    linq_sandbox.faults.answer(503)
    send = linq.chats.create(send_from=linq_sandbox.phone_numbers[0], phone_numbers=["+13343284472"], text="Hello!")
    assert asyncio.run(send).attempts == 2
    assert [message.text for message in linq_sandbox.messages] == ["Hello!"]


def test_other_clients(linq_sandbox):
    """The sandbox answers a blocking client in the same thread."""
    headers = {"X-LINQ-INTEGRATION-TOKEN": linq_sandbox.token}
    request = urllib.request.Request(f"{linq_sandbox.base_url}/api/partner/v2/phone_numbers", headers=headers)
    with urllib.request.urlopen(request) as answer:
        assert len(json.load(answer)["phone_numbers"]) == len(linq_sandbox.phone_numbers)
    assert [entry.status for entry in linq_sandbox.requests] == [200]


class TestOfTheStandardLibrary(unittest.IsolatedAsyncioTestCase):
    """A test case of unittest that brings its own loop."""

    @pytest.fixture(autouse=True)
    def _fixtures(self, linq, linq_sandbox):
        self.linq, self.sandbox = linq, linq_sandbox

    async def test_sends(self):
        """It sends on its own loop."""
        number = self.sandbox.phone_numbers[0]
        await self.linq.chats.create(send_from=number, phone_numbers=["+13343284472"], text="Hello!")
        assert len(self.sandbox.messages) == 1
