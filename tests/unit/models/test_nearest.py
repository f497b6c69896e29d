"""What an error suggests: the nearest valid name, and never what was given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logferry.models.nearest import misspelled, suggestion

KEYS = ["client_id", "client_secret", "type", "token_url"]


@pytest.mark.parametrize(
    ("given_", "known", "meant"),
    [
        ("has_error", ["has_errors", "has_warnings"], "has_errors"),
        ("HAS_ERRORS", ["has_errors"], "has_errors"),
        ("london", ["Europe/Lisbon", "Europe/London", "Atlantic/Azores"], "Europe/London"),
        ("daily", ["hour", "day", "week", "month"], "day"),
    ],
)
def test_the_nearest_name_is_suggested(given_: str, known: list[str], meant: str) -> None:
    assert suggestion(given_, known) == f"; did you mean {meant}?"


@pytest.mark.parametrize("given_", ["", " ", "x" * 10_000, 7, None, "s3cr3t-7f3a9c1e", ["type"]])
def test_nothing_is_suggested_for_what_is_like_no_name(given_: object) -> None:
    assert suggestion(given_, KEYS) == ""


@pytest.mark.parametrize(
    "given_", ["clientid", "clientId", "client-id", "client_ids", "cleint_id", "client_ie", "lient_id"]
)
def test_a_name_one_edit_away_is_a_slip(given_: str) -> None:
    assert misspelled(given_, KEYS) == "client_id"


@pytest.mark.parametrize("given_", ["", "password", "client_secret_7f3a", "tpey_", "a" * 10_000])
def test_a_name_further_away_may_be_a_secret(given_: str) -> None:
    assert misspelled(given_, KEYS) is None


@given(st.sampled_from(KEYS), st.data())
def test_every_single_edit_is_found(key: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(key) - 1))
    letter = data.draw(st.characters())
    for edited in (key[:at] + letter + key[at:], key[:at] + key[at + 1 :], key[:at] + letter + key[at + 1 :]):
        assert misspelled(edited, KEYS) is not None
