"""What a body is, by its first bytes: so that a wrong one is called by its name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from logferry.errors import CorruptDownloadError
from logferry.models.job import FileKind
from logferry.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logferry.verify.reader import Reader

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
"""A first entry, or the end record of an empty archive."""
GZIP_START = b"\x1f\x8b"
BLANK = b"\xef\xbb\xbf \t\r\n"
LOOKED_AT = 4096
"""Bytes of a wrong body that are read to name and to quote it."""
QUOTED = 200

CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f]")
CUT_WORD = re.compile(r"\S{1,4096}\Z")

EXPECTED = {
    FileKind.ZIP_CSV: "a ZIP",
    FileKind.ZIP_JSON: "a ZIP",
    FileKind.XLSX: "an XLSX workbook",
    FileKind.GZIP_JSONL: "a gzip file",
    FileKind.JSON: "JSON",
}


def check_start(reader: Reader, kind: FileKind, secrets: Iterable[str]) -> None:
    """Raise `CorruptDownloadError`, naming and quoting what came, unless it begins as the kind does."""
    start = reader.upto(4)
    if _fits(start, kind):
        reader.unread(start)
        return
    start += reader.upto(LOOKED_AT - len(start))
    if kind is FileKind.JSON and start.lstrip(BLANK)[:1] in (b"{", b"["):
        reader.unread(start)
        return
    raise CorruptDownloadError(
        f"the vendor served {_name(start)}, not {EXPECTED[kind]}{_quote(start, secrets)}"
    )


def _fits(start: bytes, kind: FileKind) -> bool:
    if kind is FileKind.JSON:
        return start[:1] in (b"{", b"[")
    if kind is FileKind.GZIP_JSONL:
        return start.startswith(GZIP_START)
    return start in ZIP_STARTS


def _name(start: bytes) -> str:
    """Name what a body is that begins like this."""
    text = start.lstrip(BLANK)[:512].lower()
    names = {
        "an empty body": not start,
        "a ZIP archive": start.startswith((*ZIP_STARTS, b"PK\x07\x08")),
        "gzip data": start.startswith(GZIP_START),
        "an HTML page": text.startswith(b"<") and (b"<html" in text or b"<!doctype html" in text),
        "an XML document": text.startswith(b"<"),
        "a JSON document": text.startswith((b"{", b"[")),
        "plain text": _text(start) is not None,
    }
    return next((name for name, fits in names.items() if fits), "data of an unknown kind")


def _text(start: bytes) -> str | None:
    """Return it as text, without the end that may be half a secret if more follows; None where it is none."""
    if CONTROL.search(start):
        return None
    text = start.decode("utf-8", "replace")
    return CUT_WORD.sub("", text) if len(start) >= LOOKED_AT else text


def _quote(start: bytes, secrets: Iterable[str]) -> str:
    """Quote its first characters: text redacted, anything else in hex."""
    text = _text(start)
    if text is None:
        return f": {start[:16].hex(' ')}"
    shown = redact(text.strip(), QUOTED, secrets)
    return shown and f": {shown}"
