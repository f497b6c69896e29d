"""Where things lie in the bucket: the keys of landed files and of their manifests."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from logferry.errors import InvalidRequestError
from logferry.models.request import digest, iso_instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from logferry.models.request import ExportRequest, Window

MANIFEST: Final = ".manifest.json"
PART_BYTES: Final = 200
"""A longer part of a key is cut and ends in a hash: six of the longest still fit into one key."""
KEY_BYTES: Final = 1024 - len(MANIFEST)
"""S3 takes 1,024 bytes of UTF-8; the manifest's key has to fit as well.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
HASH_DIGITS: Final = 32
CUT_MARK: Final = "!"
"""S3 takes it as it is, and percent-encoding never writes it: what was cut cannot look like a whole name."""

UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
BEFORE_A_NUMBER: Final = re.compile(r"-(?=[0-9]+$)")


def object_key(request: ExportRequest, folder: Sequence[str], extension: str, index: int = 1) -> str:
    """Return the key of the `index`-th file (from 1) of an export, at most 1,010 bytes.

    `folder` is what the source puts between connection and date; `extension` is whole (`.json.gz`).
    Raises InvalidRequestError where a part is empty.
    """
    further = f"-{index}" if index > 1 else ""
    suffix = f"{further}.{extension.removeprefix('.')}"
    if request.window:
        name = f"{stamp(request.window.start)}--{stamp(request.window.end)}"
        name += f"--{request.filters_hash}" if request.filters_hash else ""
        middle, last = [encode(part) for part in folder], [f"date={day(request.window)}", name + suffix]
    else:
        middle, last = ["calls"], [call_name(request, suffix)]
    first = [encode(request.source), encode(request.connection)]
    key = "/".join([*first, *middle, *last])
    if len(key) > KEY_BYTES:
        key = "/".join([*first, CUT_MARK + digest(list(folder))[:HASH_DIGITS], *last])
    return key


def manifest_key(key: str) -> str:
    """Return the key of the manifest that is written last, beside the first file of an export.

    No file has such a key: its name ends in one dot and extension, and no stem ends in `.manifest`.
    """
    return key + MANIFEST


def stamp(moment: datetime) -> str:
    """Write an instant as in a key, `20261118T000000Z`; with a fraction where it has one."""
    return iso_instant(moment).replace("-", "").replace(":", "")


def day(window: Window) -> str:
    """Return the calendar date on which a window starts, where its own offset says."""
    return window.start.date().isoformat()


def call_name(request: ExportRequest, suffix: str) -> str:
    """Name a call's file `{call_id}[-{index}]`, from what singles the call out in its target.

    Two calls never share a name: an id that ends like an index has that hyphen encoded, unless it is a UUID.
    Nor does a name look like another one's manifest: the only dots in it are those of the extension.
    """
    call_id, *rest = (str(request.target[key]) for key in request.item if request.target.get(key) is not None)
    stem = encode(call_id, dots=True)
    if not UUID.fullmatch(call_id):
        stem = BEFORE_A_NUMBER.sub("%2D", stem)
    return "-".join([stem, *(encode(part, dots=True) for part in rest)]) + suffix


def encode(part: str, *, dots: bool = False) -> str:
    """Percent-encode one part of a key, `dots` too; over 200 bytes, it is cut and ends in its hash."""
    if not part:
        raise InvalidRequestError("a part of the object key is empty: give every name in the target")
    encoded = quote(part, safe="", errors="surrogatepass")
    if dots or not part.strip("."):  # S3 keeps `.` and `..`; tools that copy a bucket to disk follow them
        encoded = encoded.replace(".", "%2E")
    if len(encoded) <= PART_BYTES:
        return encoded
    tail = CUT_MARK + hashlib.sha256(encoded.encode()).hexdigest()[:HASH_DIGITS]
    head = re.sub(r"%[0-9A-F]?$", "", encoded[: PART_BYTES - len(tail)])
    return head + tail
