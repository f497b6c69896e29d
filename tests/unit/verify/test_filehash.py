"""The vendor's own hash of a file, in any of the forms that it may have."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logferry.errors import CorruptDownloadError
from logferry.verify.filehash import held_against, read_hash

CONTENT = b"what the vendor served"
NAMES = ("md5", "sha1", "sha256", "sha512")


def forms(name: str) -> list[str]:
    digest = hashlib.new(name, CONTENT).digest()
    plain = [digest.hex(), digest.hex().upper(), base64.b64encode(digest).decode()]
    return [*plain, f"{name}:{plain[0]}", f"{name.upper()}: {plain[2]}", f" {plain[0]}\n"]


@pytest.mark.parametrize("name", NAMES)
def test_every_form_of_a_hash_is_read(name: str) -> None:
    for text in forms(name):
        assert read_hash(text) == (name, hashlib.new(name, CONTENT).digest()), text


@pytest.mark.parametrize(
    "text", [None, "", " ", "null", "abc", "ab" * 15, "z" * 32, "sha256:", "é" * 32, "a:b:c"]
)
def test_what_is_no_hash_is_none(text: str | None) -> None:
    assert read_hash(text) is None


@given(st.text())
def test_any_text_is_a_hash_or_none(text: str) -> None:
    found = read_hash(text)
    assert found is None or found[0] in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_held_against_its_hash(name: str) -> None:
    digest = hashlib.new(name, CONTENT).digest()
    # Given the file in pieces
    pieces = [CONTENT[start : start + 5] for start in range(0, len(CONTENT), 5)]
    # Then they pass, and another file is refused
    assert list(held_against(pieces, name, digest)) == pieces
    with pytest.raises(CorruptDownloadError, match=name):
        list(held_against(pieces[1:], name, digest))
