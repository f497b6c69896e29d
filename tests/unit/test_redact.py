"""What may be shown of the words of others."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from logferry.redact import redact

UUID = "550e8400-e29b-41d4-a716-446655440000"
WORDS = st.text(st.sampled_from("abc DEF 012 .,:;=&?/\\\"'{}[]<>%+-_\n\t…é"), max_size=60)
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)
OPAQUE = st.binary(min_size=24, max_size=60)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("GET https://h.example/a/t0ken?sig=1 failed", "GET https://h.example/… failed"),
        ("see https://h.example:8443", "see https://h.example:8443"),
        ("HTTPS://user:pa%40ss@h.example/x", "HTTPS://h.example/…"),
        ("https://user:pa/ss@h.example/x", "https://…/…"),
        (r"{\"url\":\"https:\/\/h.example\/t0ken\"}", r'{\"url\":\"https://h.example/…"}'),
        ("to=https%3A%2F%2Fh.example%2Ft0ken%3Fsig%3D1", "to=https://h.example/…"),
        ("wss://[2001:db8::1]:443/t0ken", "wss://[2001:db8::1]:443/…"),
        ("exceeded with url: /files/t0ken?sig=1 (Caused by …)", "exceeded with url: /… (Caused by …)"),
        ("files/x.zip?sig=1&se=2", "files/x.zip?…"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("Bearer abc-def, please", "Bearer ***, please"),
        ("basic dXNlcjpwYXNz", "basic ***"),
        ("Bearer token is invalid", "Bearer token is invalid"),
        ("Bearer%20abc", "Bearer%20***"),
        ('{"access_token":"a \\"b\\" c","expires_in":300}', '{"access_token":"***","expires_in":300}'),
        (r"{\"access_token\":\"abc\",\"x\":1}", r"{\"access_token\":\"***\",\"x\":1}"),
        ('{"refresh_token":"cut o', '{"refresh_token":"***'),
        ("{'client_secret': 'a b', 'x': 1}", "{'client_secret': '***', 'x': 1}"),
        ("grant_type=password&client_secret=abc&x=1", "grant_type=password&client_secret=***&x=1"),
        ("x-synthetic-key: " + UUID, "x-synthetic-key: ***"),
        ("Password = hunter2; user = me", "Password = ***; user = me"),
        ("api_key=abc", "api_key=***"),
        ("X-Amz-Signature=abc&X-Amz-Date=1", "X-Amz-Signature=***&X-Amz-Date=1"),
        ('{"token":null,"key":true}', '{"token":null,"key":true}'),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln is expired", "*** is expired"),
        ("hash 0123456789abcdef0123456789abcdef differs", "hash *** differs"),
        ("AKIAIOSFODNN7EXAMPLEKEY12 is unknown", "*** is unknown"),
        ("\x1b[31mred\r\n\u202eevil\x00", r"\x1b[31mred\r\n\u202eevil\x00"),
        ("half a pair \ud800", r"half a pair \ud800"),
    ],
)
def test_what_could_be_a_credential_is_taken_out(said: str, shown: str) -> None:
    # Given words of a vendor, a proxy or a library
    # When they are redacted, Then credentials are gone and the rest can be read
    assert redact(said) == shown


@pytest.mark.parametrize(
    "said",
    [
        f"job {UUID} of call {UUID.upper()} failed",
        "INVALID_TOKEN",
        "Spark.DownloadCsvLog.json is missing; ask for SparkAllEncompassingProxyPermission",
        "No service Quote2 in folder Motor/Private-Cars/2026-11-18T00:00:00Z",
        "key 20261118T000000Z--20261119T000000Z",
        "internationalisation-of-antidisestablishmentarianism",
        "The key 'records' is missing in [1, 2] <br>",
        "spark-log-csv/acme-uat/Motor/Quote/date=2026-11-18/x.zip",
        "",
    ],
)
def test_names_dates_and_job_ids_stay(said: str) -> None:
    # Given words that name jobs, permissions, services and windows
    # When they are redacted, Then nothing is lost
    assert redact(said) == said


@settings(max_examples=300, deadline=None)
@given(secret=SECRETS, before=WORDS, after=WORDS, salt=st.binary(max_size=4))
def test_a_known_secret_is_shown_in_no_form(secret: str, before: str, after: str, salt: bytes) -> None:
    # Given a secret in clear, percent-encoded once or twice, in JSON, and inside base64 at any place
    encoded = base64.b64encode(salt + secret.encode() + salt).decode()
    urlsafe = base64.urlsafe_b64encode(salt + secret.encode()).decode().rstrip("=")
    forms = [
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret, safe="").lower(),
        quote(quote(secret, safe=""), safe=""),
        json.dumps(secret)[1:-1],
        json.dumps(json.dumps(secret)[1:-1])[1:-1],
        encoded,
        urlsafe,
        quote(encoded, safe=""),
    ]
    assume(secret not in redact(before + after, 10**6))
    for form in forms:
        # When a text holds it
        shown = redact(before + form + after, 10**6, [secret])
        # Then neither it nor the greater part of its base64 is shown
        assert secret not in shown
        middle = len(encoded) // 2
        for hidden in (
            quote(secret, safe=""),
            encoded[middle - 4 : middle + 4],
            urlsafe[middle - 4 : middle + 4],
        ):
            if len(hidden) > 7 and hidden not in before + after:
                assert hidden not in shown


@settings(max_examples=300, deadline=None)
@given(token=OPAQUE, before=WORDS, after=WORDS)
def test_a_long_opaque_token_is_never_shown(token: bytes, before: str, after: str) -> None:
    # Given a token that nobody has told us of: random bytes in hex or in base64
    for form in (token.hex(), base64.b64encode(token).decode(), base64.urlsafe_b64encode(token).decode()):
        assume(len(set(form)) > 12)  # not one letter over and over
        # When a text holds it, Then not even half of it is shown
        assert form[: len(form) // 2] not in redact(f"{before} {form} {after}", 10**6)


@settings(max_examples=300, deadline=None)
@given(
    secret=st.text(st.sampled_from("abcXYZ019-._~"), min_size=3, max_size=20),
    frame=st.sampled_from(
        [
            "Bearer {}",
            "Authorization: Basic {}",
            '"access_token": "{}"',
            "client_secret={}&a=b",
            "https://h.example/{}",
            "https://h.example/a?x={}",
            "https://{}@h.example/",
            "https://u:{}@h.example/a/b",
            "x-api-key: {}",
            "'password': '{}'",
            '{{\\"token\\":\\"{}\\"}}',
            "signature={}",
            "with url: /files/{}/x",
        ]
    ),
    before=st.sampled_from(["", "error: ", "(", "a\n", '{"m":"', "é"]),
    after=st.sampled_from(["", " and more", ")", '"', "\n"]),
)
def test_a_short_secret_is_known_by_its_place(secret: str, frame: str, before: str, after: str) -> None:
    # Given a secret too short to look like one, where credentials stand
    # When it is redacted, Then it is not shown
    marked = "qq" + secret + "qq"
    assert marked not in redact(before + frame.format(marked) + after)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=400), limit=st.integers(10, 300))
def test_what_is_shown_fits_and_stays_on_one_line(text: str, limit: int) -> None:
    # Given any text at all
    shown = redact(text, limit)
    # When it is redacted, Then it fits into the limit, can be encoded, and holds no control character
    assert len(shown.encode()) <= limit
    assert not [character for character in shown if ord(character) < 32 or 0x7F <= ord(character) < 0xA0]


@settings(max_examples=200, deadline=None)
@given(text=WORDS)
def test_what_was_redacted_once_stays_as_it_is(text: str) -> None:
    # Given a text that was redacted on its way; control characters are made visible once, and then are text
    assume(text.isprintable())
    once = redact(text)
    # When it is redacted again, Then nothing changes
    assert redact(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "\\",
        "a-",
        "token",
        "http://",
        "token:",
        '"',
        "%25",
        "?=",
        "eyJ",
        "Aa",
        "Bearer ",
        "'key':'",
        "@",
        "://",
    ],
)
def test_no_text_makes_it_slow(piece: str) -> None:
    # Given a megabyte of what patterns stumble over
    text = piece * (10**6 // len(piece)) + "!"
    # When it is redacted, Then it ends (patterns that grow with the square of it would not), cut short
    assert len(redact(text, secrets=["p\\ssw/rd" * 4]).encode()) <= 1024


def test_half_a_token_at_the_cut_is_not_shown() -> None:
    # Given more text than is looked at, cut in the middle of a token, in URLs that shrink to little
    text = ("https://h.example/" + "x" * 1000 + " ") * 16
    text = text[: 16 * 1024 - 10] + " 0123456789abcdefghij0123456789abcdefghij"
    # When it is redacted, Then the half that was looked at is dropped
    assert "0123" not in redact(text)


def test_a_secret_of_three_characters_is_none() -> None:
    # Given an empty secret and a very short one
    # When they are to be hidden, Then the text is not taken apart
    assert redact("a cat sat", secrets=["", "a", "cat"]) == "a cat sat"


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        (" my  secret ", "it is my secret"),
        ("  padded-secret  ", "it is padded-secret!"),
        ('a<b>"c&d', "it is a&lt;b&gt;&quot;c&amp;d"),
        ("a'b&c+d", "it is a&#39;b&amp;amp;c%2Bd"),
        ("correct horse battery", "cut at correct horse ba"),
        ("correct horse battery", "cut at correct%20horse%2"),
    ],
)
def test_a_secret_is_not_shown_with_other_blanks_escaped_for_html_or_cut(secret: str, shown: str) -> None:
    assert redact(shown, secrets=[secret]).rstrip("!%2") in ("it is ***", "cut at ***")


def test_the_longest_secrets_cost_little() -> None:
    began = time.process_time()
    redact("a" * 16_384, secrets=["a" * 16_384 + "b", "ab" * 8_000])
    assert time.process_time() - began < 2
