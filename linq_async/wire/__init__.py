"""Requests and answers as values: no await, no clock, no environment, no aiohttp."""
