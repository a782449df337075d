"""All that touches aiohttp's client."""
