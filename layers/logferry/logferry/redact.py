"""The words of others, made fit to be shown: no credential in them, no control character, not too long.

Rather too much is taken out than too little. UUIDs stay, since jobs and calls are named by them, and so do
words, dates and paths made of them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GONE = "***"
MORE = "…"
LOOKED_AT = 16 * 1024
"""Characters that are looked at; what is behind them is dropped unread."""
SHORTEST_SECRET = 4
"""Characters under which a given secret is none: taking it out would take apart every word."""

URL = re.compile(r"""([a-z][a-z0-9+.-]{1,20})(?::|%3A)(?:\\?/|%2F){2}([^\s"'<>]*)""", re.IGNORECASE)
URL_PART_END = re.compile(r"[/\\?#]|%(?:2F|3F|23|5C)", re.IGNORECASE)
HOST = re.compile(r"(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d+)?", re.IGNORECASE)
RELATIVE_URL = re.compile(r"""(\burl: ?/)[^\s"'<>]+""", re.IGNORECASE)
QUERY = re.compile(r"""\?(?=[^\s"'<>=]*=)[^\s"'<>]+""")

SCHEMES = r"(?:Bearer|Basic|Digest|Negotiate)"
AUTHORIZATION = re.compile(
    rf"""(?<![A-Za-z])({SCHEMES}(?:\s|%20|\+)+)(?!(?:tokens?|auth\w*|scheme|realm|error)\b)[^\s"',;<>]+""",
    re.IGNORECASE,
)
PAIR = re.compile(
    rf"""
    ( (?: [\w.-]{{0,40}}(?:token|secret|pass(?:w|phrase)|pwd|signature|authorization|credential|cookie)
            [\w.-]{{0,40}}
        | [\w.-]{{0,40}}(?:key|\bsig) )
      \\{{0,3}}["']? \s{{0,9}}(?:[:=]|%3[AD]|=>)\s{{0,9}} )
    (?!null\b|true\b|false\b)
    (?: (?P<quote>\\{{0,3}}["']) (?:(?!(?P=quote))(?:\\.|.))*  # up to the quote that fits the first one
      | (?:(?:{SCHEMES}|Token|ApiKey)\s+)? [^\s&,;"'<>{{}}\[\]]+ )
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
JWT = re.compile(r"\beyJ[\w-]{5,}(?:\.[\w-]*){0,4}")

OPAQUE = re.compile(r"(?:[A-Za-z0-9+/_~-]|%[0-9A-Fa-f]{2}){24,}={0,2}")
UUID = re.compile(r"(?<![0-9a-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-z])", re.IGNORECASE)
SEPARATOR = re.compile(r"[+/_~=-]|%[0-9A-Fa-f]{2}")
PLAIN = re.compile(
    r"""  [0-9]*                                     # a number, or nothing
        | (?:[A-Z]?[a-z]+ | [A-Z]+)                # a word
        | (?:[A-Z]?[a-z]{2,} | [A-Z]{2,}){1,12}    # words in camel case
        | [A-Za-z][a-z]{0,14}[0-9]{1,4}            # v3, Quote2
        | [0-9]{1,8}T[0-9]{2,6}Z?                  # a time""",
    re.VERBOSE,
)
HIDDEN = re.compile("[\0-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Control and format characters, and halves of surrogate pairs, which no log can be encoded with."""


def redact(text: str, limit: int = 1024, secrets: Iterable[str] = ()) -> str:
    """Return `text` without credentials, on one line, in at most `limit` bytes of UTF-8.

    Of a URL scheme and host remain. `secrets` go in clear, percent-encoded and inside any base64.
    """
    if len(text) > LOOKED_AT:
        text = re.sub(r"\S{1,16384}\Z", "", text[:LOOKED_AT]) + MORE  # half a secret may not look like one
    for pattern in map(_forms, secrets):
        text = pattern.sub(GONE, text)
    text = URL.sub(_origin, text)
    text = RELATIVE_URL.sub(rf"\1{MORE}", text)
    text = QUERY.sub(f"?{MORE}", text)
    text = AUTHORIZATION.sub(rf"\1{GONE}", text)
    text = PAIR.sub(rf"\1\g<quote>{GONE}", text)
    text = JWT.sub(GONE, text)
    text = OPAQUE.sub(_opaque, text)
    text = HIDDEN.sub(lambda hidden: hidden.group().encode("unicode_escape").decode("ascii"), text)
    if len(text.encode()) <= limit:
        return text
    return text.encode()[: limit - len(MORE.encode())].decode(errors="ignore") + MORE


def _origin(url: re.Match[str]) -> str:
    """Shorten a URL to its origin."""
    scheme, rest = url.groups()
    authority = URL_PART_END.split(rest, maxsplit=1)[0]
    host = re.split("@|%40", authority)[-1]
    # An @ further on may end a password that holds a slash: then nobody knows which part is the host.
    unclear = not HOST.fullmatch(host) or "@" in rest[len(authority) :]
    return f"{scheme}://{MORE if unclear else host}" + (f"/{MORE}" if rest[len(authority) :] else "")


def _opaque(run: re.Match[str]) -> str:
    """Take out a long run of letters and digits unless words, numbers and UUIDs make it up."""
    pieces = SEPARATOR.split(UUID.sub("", run.group()))
    return run.group() if all(PLAIN.fullmatch(piece) for piece in pieces) else GONE


def _forms(secret: str) -> re.Pattern[str]:
    """Match a secret in clear and percent-encoded, escaped in JSON, and at any place inside base64."""
    if len(secret) < SHORTEST_SECRET:
        return re.compile(r"(?!)")
    forms = ["".join(map(_character, secret))]
    forms += ["".join(map(_base64_character, core)) for core in _base64_cores(secret.encode())]
    return re.compile("|".join(forms))


def _character(character: str) -> str:
    encoded = "".join(f"%(?:25)*(?i:{byte:02x})" for byte in character.encode(errors="surrogatepass"))
    escaped = f"\\\\{{1,3}}u(?i:{ord(character):04x})"
    space = r"|\+" if character == " " else ""
    return rf"(?:\\{{0,3}}{re.escape(character)}|{encoded}|{escaped}{space})"


def _base64_cores(secret: bytes) -> Iterator[str]:
    """Return what is always the same of a secret's base64, for each of the three ways to be aligned."""
    for before in range(3):
        encoded = b64encode(bytes(before) + secret).decode()
        yield encoded[-(-8 * before // 6) : 8 * (before + len(secret)) // 6]


def _base64_character(character: str) -> str:
    """Match a character of either base64 alphabet."""
    return {"+": r"(?:[+-]|%2[Bb])", "/": r"(?:\\?/|_|%2[Ff])"}.get(character, character)
