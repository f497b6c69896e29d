"""The words of others, made fit to be shown: no credential in them, no control character, not too long.

Rather too much is taken out than too little. UUIDs stay, since jobs and calls are named by them, and so do
words, dates and paths made of them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from html import unescape
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
SPELLING = re.compile(
    r"""  (?P<percent>%(?:25)*[0-9A-Fa-f]{2})
        | (?P<json>\\+u[dD][89abAB][0-9A-Fa-f]{2}\\+u[dD][c-fC-F][0-9A-Fa-f]{2} | \\+u[0-9A-Fa-f]{4})
        | (?P<html>&(?:amp;)*(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});)
        | (?P<dropped>\\+ | (?:%[0-9A-Fa-f]? | &[\#A-Za-z0-9]{0,8})\Z)
        | \s+ | .""",
    re.VERBOSE | re.DOTALL,
)
"""The ways to write a character; at the end of a text half of one, which says nothing."""
JSON_UNIT = re.compile("u([0-9A-Fa-f]{4})")
AMPERSANDS = re.compile("&(?:amp;)+")
BACKSLASH = 0x5C
SAME = {**dict.fromkeys(b"\t\n\v\f\r+ ", " "), ord("-"): " ", ord("_"): "/"}
HIDDEN = re.compile("[\0-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Control and format characters, and halves of surrogate pairs, which no log can be encoded with."""


def redact(text: str, limit: int = 1024, secrets: Iterable[str] = ()) -> str:
    """Return `text` without credentials, on one line, in at most `limit` bytes of UTF-8.

    Of a URL scheme and host remain. `secrets` go in clear, percent-encoded and inside any base64.
    """
    if len(text) > LOOKED_AT:
        text = without_secrets(text[:LOOKED_AT], secrets)
        text = re.sub(r"\S{1,16384}\Z", "", text) + MORE  # half a credential may not look like one
    text = without_secrets(text, secrets)
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


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without given secrets, however they are spelled there; in linear time.

    In clear, percent-encoded, escaped in JSON or HTML, with other blanks, at any place inside base64; and the
    beginning of one at the end of the text, which somebody may have cut.
    """
    secrets = tuple(secrets)
    for secret in secrets:
        # As it is, first: an odd % or backslash before it would make an escape of its first characters.
        if len(secret) >= SHORTEST_SECRET:
            for literal in _literals(secret):
                text = text.replace(literal, GONE)
    plain, places = _spell(text)
    found: list[tuple[int, int]] = []
    for secret in secrets:
        for form in _forms(secret):
            found += _occurrences(plain, form)
    parts, end = [], 0
    for first, last in sorted(found):
        # Behind the last character half an escape may stand, which is part of it.
        start, stop = places[first][0], len(text) if last == len(plain) else places[last - 1][1]
        if start >= end:
            parts += [text[end:start], GONE]
        end = max(end, stop)
    return "".join([*parts, text[end:]])


def _occurrences(plain: str, form: str) -> Iterator[tuple[int, int]]:
    at = plain.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = plain.find(form, at + len(form))
    for length in range(min(len(form) - 1, len(plain)), SHORTEST_SECRET - 1, -1):
        if plain.endswith(form[:length]):
            yield len(plain) - length, len(plain)
            return


def _spell(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Spell a text in one way, as UTF-8 with a character a byte, and give the place in it of each character.

    Escapes are what they stand for, blanks and plus signs in a row are one blank, backslashes are dropped;
    both base64 alphabets become one.
    """
    plain: list[str] = []
    places: list[tuple[int, int]] = []
    for match in SPELLING.finditer(text):
        for byte in _bytes_of(match):
            if byte == BACKSLASH:
                continue
            character = SAME.get(byte, chr(byte))
            if character == " " and plain and plain[-1] == " ":
                places[-1] = (places[-1][0], match.end())
                continue
            plain.append(character)
            places.append(match.span())
    return "".join(plain), places


def _bytes_of(match: re.Match[str]) -> bytes:
    whole = match.group()
    match match.lastgroup:
        case "percent":
            return bytes.fromhex(whole[-2:])
        case "json":
            units = [int(unit, 16) for unit in JSON_UNIT.findall(whole)]
            pair = b"".join(unit.to_bytes(2, "little") for unit in units).decode("utf-16-le", "surrogatepass")
            return pair.encode(errors="surrogatepass")
        case "html":
            return unescape(AMPERSANDS.sub("&", whole)).encode(errors="surrogatepass")
        case "dropped":
            return b""
    return whole.encode(errors="surrogatepass")


def _forms(secret: str) -> set[str]:
    """Return what a secret is once spelled: in clear, and inside base64, aligned in all three ways."""
    if len(secret.strip()) < SHORTEST_SECRET:
        return set()
    clear = _whole(secret)
    forms = {clear}
    for raw in {secret, secret.strip()}:
        forms |= {_whole(core) for core in _base64_cores(raw.encode(errors="surrogatepass"))}
    return {form for form in forms if len(form) >= SHORTEST_SECRET}


def _literals(secret: str) -> set[str]:
    """Return a secret in clear, and what base64 of either alphabet always holds of it."""
    cores = set(_base64_cores(secret.encode(errors="surrogatepass")))
    cores |= {core.replace("+", "-").replace("/", "_") for core in cores}
    return {secret, *(core for core in cores if len(core) >= SHORTEST_SECRET)}


def _whole(secret: str) -> str:
    """Spell what was not cut: a character behind it keeps its own end from being taken for half an escape."""
    return _spell(f"{secret}\0")[0][:-1].strip()


def _base64_cores(secret: bytes) -> Iterator[str]:
    """Return what is always the same of a secret's base64, for each of the three ways to be aligned."""
    for before in range(3):
        encoded = b64encode(bytes(before) + secret).decode()
        yield encoded[-(-8 * before // 6) : 8 * (before + len(secret)) // 6]
