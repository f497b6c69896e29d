from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logferry.unpack.entry_keys import EntryKeys

FOLDER = "spark-log-csv/acme-uat/Motor/Quote/date=2026-11-18/"
ARCHIVE = FOLDER + "20261118T000000Z--20261119T000000Z.zip"


def keys(*names: str) -> list[str | None]:
    entries = EntryKeys(ARCHIVE)
    return [entries.take(name) for name in names]


def names(*of: str) -> list[str]:
    prefix = EntryKeys(ARCHIVE).prefix
    return [str(key).removeprefix(prefix) for key in keys(*of)]


def test_an_entry_lies_in_the_archives_own_partition_under_unpacked() -> None:
    assert keys("Quote_allRecords_1.csv", "Quote.JSON") == [
        f"unpacked/{FOLDER}20261118T000000Z--20261119T000000Z.Quote_allRecords_1.csv.gz",
        f"unpacked/{FOLDER}20261118T000000Z--20261119T000000Z.Quote.json.gz",
    ]


def test_the_same_window_with_filters_has_keys_of_its_own() -> None:
    plain, filtered = EntryKeys(ARCHIVE), EntryKeys(ARCHIVE.replace(".zip", "--0123456789ab.zip"))

    assert not str(filtered.take("x.csv")).startswith(plain.prefix)
    assert not str(plain.take("--0123456789ab.x.csv")).startswith(filtered.prefix)


@pytest.mark.parametrize("name", ["readme.txt", "x.xlsx", "folder.csv/", "csv", "x.csv\0", "x.csv.gz", ""])
def test_what_is_not_lines_stays_packed(name: str) -> None:
    assert keys(name) == [None]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../x.csv", "%2E%2E%2F%2E%2E%2Fx.csv.gz"),
        ("/etc/passwd.csv", "%2Fetc%2Fpasswd.csv.gz"),
        ("C:\\x.csv", "C%3A%5Cx.csv.gz"),
        ("a\0b\n.csv", "a%00b%0A.csv.gz"),
        (".csv", "entry.csv.gz"),
        ("..csv", "%2E.csv.gz"),
        ("...csv", "%2E%2E.csv.gz"),
        (".hidden.csv", "%2Ehidden.csv.gz"),
        ("Häuser & Co.csv", "H%C3%A4user%20%26%20Co.csv.gz"),
        ("1.2.csv", "1.2.csv.gz"),
    ],
)
def test_a_name_that_leads_elsewhere_leads_nowhere(name: str, safe: str) -> None:
    assert names(name) == [safe]


def test_a_long_name_is_cut_and_still_tells_itself_from_others() -> None:
    first, second = names("x" * 300 + "1.csv", "x" * 300 + "2.csv")

    assert first != second
    assert len(first) == len(second) <= 207


def test_a_name_that_comes_twice_is_numbered_past_those_that_look_so() -> None:
    assert names("x.csv", "x.csv", "x-2.csv", "x.CSV", "x.json") == [
        "x.csv.gz",
        "x-2.csv.gz",
        "x-2-2.csv.gz",
        "x-3.csv.gz",
        "x.json.gz",
    ]


@settings(deadline=None)
@given(st.lists(st.text(max_size=400).map(lambda name: f"{name}.csv"), max_size=8))
def test_no_name_ever_leaves_the_folder_or_meets_another(given_names: list[str]) -> None:
    found = [str(key) for key in keys(*given_names)]

    assert len(set(found)) == len(found)
    for key in found:
        assert key.isascii()
        assert key.startswith(EntryKeys(ARCHIVE).prefix)
        assert key.count("/") == ARCHIVE.count("/") + 1
        assert ".." not in key
        assert len(key) < 1024


def test_everything_lies_below_the_prefix_of_a_name_without_a_dot() -> None:
    # Given an archive whose folder has a dot, and whose own name has none
    keys = EntryKeys("source/acme.v2/date=2026-11-18/window")
    # When an entry is unpacked, Then it lies in that folder
    assert keys.take("a.csv") == "unpacked/source/acme.v2/date=2026-11-18/window.a.csv.gz"
