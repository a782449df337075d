"""Adapters for web frameworks: ``asgi``, ``fastapi`` and ``aiohttp``, and ``problems`` for error responses."""
