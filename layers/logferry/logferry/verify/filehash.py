"""The vendor's own hash of a file, where it gives one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Generic, TypeVar

from logferry.errors import CorruptDownloadError

if TYPE_CHECKING:
    from logferry.storage.landing import Verifier

BY_LENGTH = {16: "md5", 20: "sha1", 32: "sha256", 64: "sha512"}
"""No page says which hash it is; the length tells."""

Findings = TypeVar("Findings")


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


class Hashed(Generic[Findings]):
    """A verifier that also compares the file with the vendor's hash of it."""

    def __init__(self, inner: Verifier[Findings], algorithm: str, digest: bytes) -> None:
        self._inner = inner
        self._algorithm = algorithm
        self._digest = digest
        self._hash = hashlib.new(algorithm, usedforsecurity=False)

    def feed(self, data: memoryview) -> None:
        """Look at the next bytes. Raises CorruptDownloadError."""
        self._hash.update(data)
        self._inner.feed(data)

    def finish(self) -> Findings:
        """Judge the whole. Raises CorruptDownloadError."""
        findings = self._inner.finish()
        if not hmac.compare_digest(self._hash.digest(), self._digest):
            raise CorruptDownloadError(f"the file differs from the vendor's {self._algorithm} of it")
        return findings
