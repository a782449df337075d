"""Serves the echo bot of docs/examples with uvicorn, in a folder where its inbox is.

Usage: ``PYTHONPATH=docs/examples python -m tests.webhooks.mortal_echo SOCKET FOLDER``
"""

from __future__ import annotations

import os
import socket
import sys

import uvicorn


class Server(uvicorn.Server):
    """Prints a line once it serves."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        print("serving", flush=True)


if __name__ == "__main__":
    os.chdir(sys.argv[2])
    config = uvicorn.Config("echo_bot:app", ws="none", log_level="warning")
    Server(config).run([socket.socket(fileno=int(sys.argv[1]))])
