"""The vendor's own hash of a file, where it gives one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

from logferry.errors import CorruptDownloadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logferry.verify.reader import Chunks

BY_LENGTH = {16: "md5", 20: "sha1", 32: "sha256", 64: "sha512"}
"""No page says which hash it is; the length tells."""


def read_hash(text: str | None) -> tuple[str, bytes] | None:
    """Return algorithm and digest of a hash in hex or base64, perhaps named (`sha256:…`), else None."""
    if not text:
        return None
    _, _, plain = text.strip().rpartition(":")
    for decode in (bytes.fromhex, lambda value: base64.b64decode(value, validate=True)):
        try:
            digest = decode(plain.strip())
        except (ValueError, binascii.Error):
            continue
        if len(digest) in BY_LENGTH:
            return BY_LENGTH[len(digest)], digest
    return None


def held_against(chunks: Chunks, algorithm: str, digest: bytes) -> Iterator[memoryview | bytes]:
    """Pass on the chunks of a file; raise CorruptDownloadError behind the last if its hash is another."""
    found = hashlib.new(algorithm, usedforsecurity=False)
    for chunk in chunks:
        found.update(chunk)
        yield chunk
    if not hmac.compare_digest(found.digest(), digest):
        raise CorruptDownloadError(f"the file differs from the vendor's {algorithm} of it")
