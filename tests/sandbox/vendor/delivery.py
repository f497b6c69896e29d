"""How a file is handed over: framing, ranges, and every way in which a download goes wrong."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tests.sandbox.vendor.blobs import Blob, BytesBlob, StreamBlob, read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Framing = Literal["length", "chunked", "close"]


@dataclass(frozen=True)
class Delivery:
    """One way to serve a file; the default is a whole and honest one.

    framing: Content-Length, chunked, or until the connection closes (None: as the vendor does)
    cut: end the connection after that many body bytes; `cut_reset` does so with a TCP RST
    declared: a Content-Length that is a lie
    corrupt: the offset of one byte that is flipped
    ranges: answer Range (and If-Range) with 206; False ignores them and gives the whole file
    etag: a strong or weak entity tag, or none
    variant: other content of the same kind, as if the file had been made anew between two tries
    redirect: answer `redirect_status` with this Location instead; `self` is the same file under a fresh URL
    encoding: `gzip` sends Content-Encoding: gzip
    rate: bytes a second, in pieces of `piece`
    body: other bytes, or a function that gives an iterable of them (its size is then unknown)
    content_type, status, headers: as said instead of the vendor's own
    """

    framing: Framing | None = None
    cut: int | None = None
    cut_reset: bool = False
    declared: int | None = None
    corrupt: int | None = None
    ranges: bool = True
    etag: Literal["strong", "weak"] | None = "strong"
    variant: int = 0
    redirect: str | None = None
    redirect_status: int = 302
    encoding: Literal["gzip"] | None = None
    rate: float | None = None
    piece: int = 1024
    body: bytes | Callable[[], Iterable[bytes]] | None = None
    content_type: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def html_page(cls) -> Delivery:
        """Give an HTML page with status 200, as a login wall does."""
        page = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Session expired</body></html>"
        return cls(body=page, content_type="text/html; charset=utf-8")

    @classmethod
    def json_error(cls) -> Delivery:
        """Give a JSON error with status 200."""
        return cls(
            body=b'{"status":"Error","error":{"message":"not ready"}}', content_type="application/json"
        )

    def blob(self, original: Callable[[int], Blob]) -> Blob:
        """Give the bytes to send, from the file's own maker (called with `variant`)."""
        if isinstance(self.body, bytes):
            blob: Blob = BytesBlob(self.body)
        elif self.body is not None:
            blob = StreamBlob(self.body)
        else:
            blob = original(self.variant)
        return BytesBlob(gzip.compress(read_all(blob), mtime=0)) if self.encoding == "gzip" else blob

    def entity_tag(self, blob: Blob) -> str | None:
        """Give the ETag header's value."""
        if self.etag is None:
            return None
        return f'"{blob.tag}"' if self.etag == "strong" else f'W/"{blob.tag}"'

    def pieces(self, blob: Blob, start: int, stop: int | None) -> Iterator[bytes | memoryview]:
        """Give the body's pieces in `[start, stop)`, corrupted where asked."""
        offset = start
        for block in blob.chunks(start):
            if stop is not None and offset + len(block) > stop:
                block = block[: stop - offset]  # noqa: PLW2901 - the last piece is a shorter one
            yield self._flipped(block, offset)
            offset += len(block)
            if stop is not None and offset >= stop:
                return

    def _flipped(self, block: bytes | memoryview, offset: int) -> bytes | memoryview:
        if self.corrupt is None or not offset <= self.corrupt < offset + len(block):
            return block
        changed = bytearray(block)
        changed[self.corrupt - offset] ^= 0xFF
        return bytes(changed)


RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def asked_range(
    headers: Mapping[str, str], blob: Blob, delivery: Delivery
) -> tuple[int, int] | Literal["unsatisfiable"] | None:
    """Give the asked `[start, stop)`, None for the whole file (RFC 9110: a stale If-Range means the whole).

    A weak tag never matches If-Range.
    """
    match = RANGE.fullmatch(headers.get("range", "").strip())
    if not match or not delivery.ranges or blob.size is None:
        return None
    condition = headers.get("if-range")
    if condition is not None and (condition.startswith("W/") or condition != delivery.entity_tag(blob)):
        return None
    start = int(match[1])
    if start >= blob.size:
        return "unsatisfiable"
    return start, min(int(match[2]) + 1, blob.size) if match[2] else blob.size
