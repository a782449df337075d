"""Requests and responses as values: without I/O, a clock, the environment or aiohttp."""
