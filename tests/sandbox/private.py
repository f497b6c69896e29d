"""Folders and files that only their owner reads: landed data and ledgers may hold anybody's data."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

OTHERS = 0o077
"""The permission bits of everybody but the owner."""


def make_folder(folder: Path) -> None:
    """Create a folder and those above it that are missing, with mode 0700; leave what exists as it is."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file with mode 0600, whatever an earlier one of that name had."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8 with mode 0600."""
    write_bytes(path, text.encode())
