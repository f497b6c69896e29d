"""How the emulated vendors hand files over: framings, ranges, links that expire, and every kind of damage."""

from __future__ import annotations

import http.client
import io
import ssl
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.integration.resets import SEES_RESETS
from tests.sandbox.vendor import Delivery, Reply, Vendors
from tests.sandbox.vendor.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.vendor.delivery import Framing

FRAMINGS: list[Framing] = ["length", "chunked", "close"]


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with Vendors(rows=40, polls=1) as running:
        yield running


def raw(vendors: Vendors, url: str) -> tuple[dict[str, str], bytes, bool]:
    """Read with nothing but http.client: headers, what came of the body, and whether it ended by a reset."""
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=vendors.ca_file)
    connection = http.client.HTTPSConnection(parts.netloc, timeout=10, context=context)
    connection.request("GET", parts.path)
    response = connection.getresponse()
    body, was_reset = b"", False
    try:
        while block := response.read1(65536):
            body += block
    except http.client.IncompleteRead as error:
        body += error.partial
    except ConnectionResetError:
        was_reset = True
    headers = {name.lower(): value for name, value in response.getheaders()}
    connection.close()
    return headers, body, was_reset


@pytest.mark.parametrize("framing", FRAMINGS)
def test_every_framing_carries_the_same_bytes(vendors: Vendors, framing: Framing) -> None:
    url = Client(vendors).url()
    whole = raw(vendors, url)[1]
    vendors.deliver(Delivery(framing=framing))

    headers, body, _ = raw(vendors, url)

    assert body == whole
    assert zipfile.ZipFile(io.BytesIO(body)).testzip() is None
    assert ("content-length" in headers) == (framing == "length")
    assert (headers.get("transfer-encoding") == "chunked") == (framing == "chunked")
    assert vendors.downloads == 2


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("count", [0, 1, 1000])
def test_a_body_is_cut_where_it_is_told_to_be_once(vendors: Vendors, framing: Framing, count: int) -> None:
    url = Client(vendors).url()
    whole = raw(vendors, url)[1]
    vendors.deliver(Delivery(framing=framing, cut=count))

    first, second = raw(vendors, url), raw(vendors, url)

    assert first[1] == whole[:count]
    assert second[1] == whole


@SEES_RESETS
def test_a_cut_may_last_and_may_be_a_reset(vendors: Vendors) -> None:
    url = Client(vendors).url()
    vendors.knobs.delivery = Delivery(cut=0, cut_reset=True)

    assert [raw(vendors, url)[2] for _ in range(2)] == [True, True]


def test_a_stated_length_may_be_a_lie(vendors: Vendors) -> None:
    url = Client(vendors).url()
    whole = raw(vendors, url)[1]
    vendors.deliver(Delivery(declared=len(whole) + 7), Delivery(declared=len(whole) - 7))

    longer, shorter = raw(vendors, url), raw(vendors, url)

    assert longer[0]["content-length"] == str(len(whole) + 7)
    assert longer[1] == whole
    assert shorter[1] == whole[:-7]


def test_one_byte_is_corrupted(vendors: Vendors) -> None:
    url = Client(vendors).url()
    whole = raw(vendors, url)[1]
    vendors.deliver(Delivery(corrupt=500))

    body = raw(vendors, url)[1]

    assert [place for place, (left, right) in enumerate(zip(whole, body, strict=True)) if left != right] == [
        500
    ]


def test_a_range_is_answered_and_if_range_holds_it_to_one_content(vendors: Vendors) -> None:
    client = Client(vendors)
    url = client.url()
    whole = client.get(url)
    tag = whole.headers["ETag"]

    part = client.get(url, Range="bytes=100-", If_Range=tag)
    slice_ = client.get(url, Range="bytes=1-3")
    stale = client.get(url, Range="bytes=100-", If_Range='"other"')
    beyond = client.get(url, Range=f"bytes={len(whole.content)}-")

    assert part.status_code == slice_.status_code == 206
    assert part.content == whole.content[100:]
    assert part.headers["Content-Range"] == f"bytes 100-{len(whole.content) - 1}/{len(whole.content)}"
    assert slice_.content == whole.content[1:4]
    assert (stale.status_code, stale.content) == (200, whole.content)
    assert beyond.status_code == 416


@pytest.mark.parametrize(
    "delivery", [Delivery(ranges=False), Delivery(etag="weak"), Delivery(variant=1), Delivery(etag=None)]
)
def test_a_server_without_dependable_ranges_sends_the_whole(vendors: Vendors, delivery: Delivery) -> None:
    # Given a first try and its tag
    client = Client(vendors)
    url = client.url()
    tag = client.get(url).headers["ETag"]
    vendors.deliver(delivery)

    # When the rest is asked for
    reply = client.get(url, Range="bytes=100-", If_Range=tag)

    # Then all of it comes, from the first byte
    assert reply.status_code == 200
    assert zipfile.ZipFile(io.BytesIO(reply.content)).testzip() is None


def test_a_weak_tag_never_matches(vendors: Vendors) -> None:
    client = Client(vendors)
    url = client.url()
    vendors.knobs.delivery = Delivery(etag="weak")
    tag = client.get(url).headers["ETag"]

    assert tag.startswith("W/")
    assert client.get(url, Range="bytes=100-", If_Range=tag).status_code == 200


def test_content_may_change_between_two_tries(vendors: Vendors) -> None:
    client = Client(vendors)
    url = client.url()
    vendors.deliver(None, Delivery(variant=1))

    first, second = client.get(url), client.get(url)

    assert first.headers["ETag"] != second.headers["ETag"]
    assert first.content != second.content


def test_redirects_go_where_they_are_told(vendors: Vendors) -> None:
    client = Client(vendors)
    url = client.url()
    vendors.deliver(Delivery(redirect="self"), Delivery(redirect="http://192.0.2.1/x", redirect_status=307))

    again, away = client.get(url), client.get(url)

    assert again.status_code == 302
    assert client.get(again.headers["Location"]).content == client.get(url).content
    assert (away.status_code, away.headers["Location"]) == (307, "http://192.0.2.1/x")


def test_pages_errors_and_any_other_bytes_come_with_status_200(vendors: Vendors) -> None:
    client = Client(vendors)
    url = client.url()
    blocks = [b"ab", b"cd"]
    vendors.deliver(
        Delivery.html_page(), Delivery.json_error(), Delivery(body=b"PK"), Delivery(body=lambda: blocks)
    )

    page, error, short, stream = (client.get(url) for _ in range(4))

    assert [reply.status_code for reply in (page, error, short, stream)] == [200] * 4
    assert page.headers["Content-Type"].startswith("text/html")
    assert error.json()["status"] == "Error"
    assert short.content == b"PK"
    assert stream.content == b"abcd"
    assert stream.headers["Transfer-Encoding"] == "chunked"


def test_a_body_may_be_content_encoded(vendors: Vendors) -> None:
    url = Client(vendors).url()
    whole = raw(vendors, url)[1]
    vendors.deliver(Delivery(encoding="gzip"), Delivery(encoding="gzip"))

    headers, body, _ = raw(vendors, url)

    assert headers["content-encoding"] == "gzip"
    assert body != whole
    assert Client(vendors).get(url).content == whole


def test_a_slow_body_comes_in_small_pieces(vendors: Vendors) -> None:
    url = Client(vendors).url()
    whole = raw(vendors, url)[1]
    vendors.deliver(Delivery(rate=50_000_000, piece=100, framing="chunked"))

    assert raw(vendors, url)[1] == whole


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_url_may_be_refused_so_many_times(vendors: Vendors, status: int) -> None:
    client = Client(vendors)
    url = client.url()
    vendors.script("download", Reply(status), Reply(status))

    assert [client.get(url).status_code for _ in range(3)] == [status, status, 200]


def test_a_url_ends_with_its_time_or_its_uses_and_status_gives_a_fresh_one() -> None:
    now = [0.0]
    with Vendors(rows=1, polls=1, url_seconds=60, url_uses=2, clock=lambda: now[0]) as vendors:
        client = Client(vendors)
        job_id = client.submit()

        def fresh() -> str:
            return str(client.status(job_id).json()["response_data"]["download_url"])

        url = fresh()
        assert [client.get(url).status_code for _ in range(3)] == [200, 200, 403]
        late = fresh()
        now[0] += 60
        assert client.get(late).status_code == 403
        assert client.get(fresh()).status_code == 200
        last = fresh()
        vendors.expire_urls()
        assert client.get(last).status_code == 403
        assert client.get(last + "x").status_code == 404


def test_a_file_may_lie_on_the_api_origin_and_want_the_callers_credentials() -> None:
    with Vendors(rows=1, polls=1, download_origin="api") as vendors:
        client = Client(vendors)
        url = client.url()

        assert url.startswith(vendors.base_url)
        assert client.get(url).status_code == 401
        assert client.send("GET", url).content[:2] == b"PK"
