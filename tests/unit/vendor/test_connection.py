"""A connection's secret: what is wrong with it is named by its key, and never shown."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logferry.errors import ConnectionConfigError
from logferry.sources.registry import source_named
from logferry.vendor.connection import Connection

HUSH = "hush-7f3a9c1e"
SPARK = source_named("spark-log-csv").rules
EVENTS = source_named("spark-events").rules
IBM = source_named("ibm-activity-tracker").rules

GOOD: dict[str, Any] = {
    "base_url": "https://excel.uat.us.coherent.global",
    "tenant": "acme",
    "auth": {"type": "client_credentials", "client_id": "us", "client_secret": HUSH},
}
IBM_GOOD: dict[str, Any] = {
    "base_url": "https://activity-tracker.ng.bluemix.net",
    "space_id": "c1234567",
    "auth": {"type": "uaa", "api_key": HUSH},
}
ABSENT = object()


def parse(document: Any, rules: Any = SPARK) -> Connection:
    text = document if isinstance(document, str) else json.dumps(document)
    return Connection.parse("acme-uat", text, rules)


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(document))
    place = copy
    *parents, last = path.split(".")
    for parent in parents:
        place = place[parent]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return copy


def test_a_good_secret_is_read() -> None:
    connection = parse(GOOD)
    assert (connection.base_url, connection.host) == (GOOD["base_url"], "excel.uat.us.coherent.global")
    assert (connection.account, connection.download_hosts) == ("acme", ("*.coherent.global",))
    assert connection.secrets == (HUSH,)
    # And neither is shown by accident
    assert HUSH not in repr(connection)


def test_an_ibm_secret_names_a_space_and_downloads_from_its_own_host() -> None:
    connection = parse({**IBM_GOOD, "base_url": "https://tracker.example.com:8443/"}, IBM)
    assert (connection.account, connection.host) == ("c1234567", "tracker.example.com:8443")
    assert connection.download_hosts == ("tracker.example.com:8443",)
    assert connection.secrets == (HUSH,)


def test_every_kind_hides_its_secret() -> None:
    for auth in ({"type": "bearer", "token": f"Bearer {HUSH}"}, {"type": "api_key", "key": HUSH}):
        assert parse({**GOOD, "auth": auth}).secrets == (HUSH,)


def test_what_may_be_there_is_read() -> None:
    extra = {
        "download_hosts": ["files.example.com:8443"],
        "limits": {"records": 10, "bytes": 20, "largest": 30},
    }
    auth = {**GOOD["auth"], "token_url": "https://login.example.com/token"}
    connection = parse({**GOOD, **extra, "auth": auth})
    assert connection.download_hosts == ("files.example.com:8443",)
    assert connection.limits == extra["limits"]
    assert connection.auth["token_url"] == "https://login.example.com/token"
    assert connection.secrets == (HUSH,)


WRONG: list[tuple[str, Any, str]] = [
    ("base_url", ABSENT, "base_url"),
    ("base_url", None, "base_url"),
    ("base_url", "", "base_url"),
    ("base_url", 7, "base_url"),
    ("base_url", "http://excel.example.com", "base_url"),
    ("base_url", "excel.example.com", "base_url"),
    ("base_url", f"https://us:{HUSH}@excel.example.com", "base_url"),
    ("base_url", f"https://excel.example.com/{HUSH}", "base_url"),
    ("base_url", f"https://excel.example.com?key={HUSH}", "base_url"),
    ("base_url", f"https://excel.example.com#{HUSH}", "base_url"),
    ("base_url", "https://[::1", "base_url"),
    ("base_url", "https://excel.example.com:99999", "base_url"),
    ("base_url", "https://excel.example.com:0", "base_url"),
    ("base_url", "https://excel example.com", "base_url"),
    ("base_url", "https://excel.example.com\n", "base_url"),
    ("tenant", ABSENT, "tenant"),
    ("tenant", " ", "tenant"),
    ("tenant", ["acme"], "tenant"),
    ("tenant", "ac\0me", "tenant"),
    ("auth", ABSENT, "auth"),
    ("auth", HUSH, "auth"),
    ("auth.type", ABSENT, "auth.type"),
    ("auth.type", HUSH, "auth.type"),
    ("auth.type", "uaa", "auth.type"),
    ("auth.client_id", ABSENT, "auth.client_id"),
    ("auth.client_secret", ABSENT, "auth.client_secret"),
    ("auth.client_secret", None, "auth.client_secret"),
    ("auth.client_secret", f"{HUSH}\n", "auth.client_secret"),
    ("auth.client_secret", {HUSH: HUSH}, "auth.client_secret"),
    ("auth.password", HUSH, "auth"),
    ("auth.token_url", "http://login.example.com", "auth.token_url"),
    ("auth.token_url", f"https://me:{HUSH}@login.example.com", "auth.token_url"),
    (HUSH, 1, "a key besides"),
    ("space_id", "x", "a key besides"),
    ("download_hosts", "*.coherent.global", "download_hosts"),
    ("download_hosts", [7], "download_hosts"),
    ("download_hosts", [""], "download_hosts"),
    ("download_hosts", ["https://files.example.com"], "download_hosts"),
    ("download_hosts", ["*"], "download_hosts"),
    ("download_hosts", [f"{HUSH}@files.example.com"], "download_hosts"),
    ("limits", [1], "limits"),
    ("limits", {"records": "1"}, "limits"),
    ("limits", {"records": True}, "limits"),
    ("limits", {"records": 0}, "limits"),
    ("limits", {"rows": 1}, "limits"),
]


@pytest.mark.parametrize(("path", "value", "names"), WRONG)
def test_what_is_wrong_is_named_and_never_shown(path: str, value: Any, names: str) -> None:
    # Given a secret with one thing wrong in it
    with pytest.raises(ConnectionConfigError) as error:
        parse(changed(GOOD, path, value))
    # Then the message names the connection and the key, and shows no value
    assert "acme-uat" in str(error.value)
    assert names in str(error.value)
    assert HUSH not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("tennant", "tennant: is not known here; did you mean tenant?"),
        ("auth.clientId", "auth.clientId: is not known here; did you mean client_id?"),
        ("auth.cleint_secret", "auth.cleint_secret: is not known here; did you mean client_secret?"),
        ("auth.password", "auth has a key besides client_id, client_secret, token_url, type; remove it"),
    ],
)
def test_a_key_one_edit_away_from_a_known_one_is_named(path: str, said: str) -> None:
    with pytest.raises(ConnectionConfigError) as error:
        parse(changed(GOOD, path, HUSH))
    assert said in str(error.value)
    assert HUSH not in str(error.value)


def test_a_kind_of_credentials_that_is_not_taken_is_answered_with_those_that_are() -> None:
    with pytest.raises(ConnectionConfigError) as error:
        parse(changed(GOOD, "auth.type", "client-credentials"))
    said = (
        "auth.type: spark-log-csv takes client_credentials, bearer, api_key; did you mean client_credentials?"
    )
    assert str(error.value).endswith(said)


@pytest.mark.parametrize(
    "text", ["", HUSH, f'{{"base_url": "{HUSH}"', f"[{HUSH}]", "null", f'["{HUSH}"]', "7"]
)
def test_a_secret_that_is_no_json_object_is_not_shown(text: str) -> None:
    with pytest.raises(ConnectionConfigError, match="JSON") as error:
        parse(text)
    assert HUSH not in str(error.value)


def test_an_ibm_secret_without_its_space_says_so() -> None:
    with pytest.raises(ConnectionConfigError, match="space_id"):
        parse(changed(IBM_GOOD, "space_id", ABSENT), IBM)
    with pytest.raises(ConnectionConfigError, match="space_id"):
        parse({**changed(IBM_GOOD, "space_id", ABSENT), "tenant": "acme"}, IBM)


def test_events_take_no_api_key() -> None:
    document = {**GOOD, "auth": {"type": "api_key", "key": HUSH}}
    assert parse(document).account == "acme"
    with pytest.raises(ConnectionConfigError, match="spark-events takes client_credentials, bearer"):
        parse(document, EVENTS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PATHS = [path for path, *_ in WRONG if path != "auth.password"]


@given(path=st.sampled_from(PATHS), value=JSON)
def test_any_secret_is_read_or_refused(path: str, value: Any) -> None:
    with suppress(ConnectionConfigError):
        assert parse(changed(GOOD, path, value)).name == "acme-uat"


@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(ConnectionConfigError, match="acme-uat"):
        parse(text)
