from __future__ import annotations

import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logferry.errors import ConnectionConfigError, DownloadRefusedError
from logferry.vendor.egress import HostPolicy

BASE_URL = "https://excel.uat.us.coherent.global"
SPARK = HostPolicy(("*.coherent.global",), BASE_URL)
MANY = HostPolicy(
    (
        "*.coherent.global",
        "*.example.com:8443",
        "files.example.org",
        "Files.Example.NET.:444",
        "10.1.2.3:8443",
        "127.0.0.1:9000",
        "localhost:9000",
        "[::1]:9000",
        "[fd12:3456::1]",
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b::808:808]",
        "[2002:a9fe:a9fe::1]",
        "168.63.129.16",
        "0.0.0.0",  # noqa: S104 - to be refused
        "224.0.0.1",
    ),
    "https://files.example.org",
)


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object, **__: object) -> None:
        pytest.fail("a socket was opened, or a name looked up")

    monkeypatch.setattr(socket, "socket", explode)
    monkeypatch.setattr(socket, "create_connection", explode)
    monkeypatch.setattr(socket, "getaddrinfo", explode)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://files.coherent.global/a.zip", "files.coherent.global", 443),
        ("https://entitystore.uat.us.coherent.global/a?sig=1", "entitystore.uat.us.coherent.global", 443),
        ("https://excel.uat.us.coherent.global", "excel.uat.us.coherent.global", 443),
        ("https://excel.uat.us.coherent.global:443/x", "excel.uat.us.coherent.global", 443),
        ("HTTPS://Excel.UAT.us.Coherent.Global/x", "excel.uat.us.coherent.global", 443),
        ("https://excel.uat.us.coherent.global./x", "excel.uat.us.coherent.global", 443),
        ("https://xn--bcher-kva.coherent.global/x", "xn--bcher-kva.coherent.global", 443),
        ("https://my_bucket.coherent.global/x", "my_bucket.coherent.global", 443),
        ("https://a.coherent.global/x#https://evil.com/", "a.coherent.global", 443),
        ("https://a.coherent.global/@evil.com", "a.coherent.global", 443),
        ("https://a.coherent.global?next=https://evil.com", "a.coherent.global", 443),
        ("https://a.coherent.global//evil.com/x", "a.coherent.global", 443),
        ("https://a.coherent.global/x y/ü.zip?a=b\\c", "a.coherent.global", 443),
        ("https://a.example.com:8443/x", "a.example.com", 8443),
        ("https://files.example.org/x", "files.example.org", 443),
        ("https://files.example.net:444/x", "files.example.net", 444),
        ("https://10.1.2.3:8443/x", "10.1.2.3", 8443),
        ("https://127.0.0.1:9000/x", "127.0.0.1", 9000),
        ("https://localhost:9000/x", "localhost", 9000),
        ("https://[::1]:9000/x", "::1", 9000),
        ("https://[0:0:0:0:0:0:0:1]:9000/x", "::1", 9000),
        ("https://[fd12:3456::1]/x", "fd12:3456::1", 443),
    ],
)
def test_an_allowed_url_is_read_exactly(url: str, host: str, port: int) -> None:
    location = MANY.check(url)

    assert (location.host, location.port) == (host, port)


@pytest.mark.parametrize(
    "url",
    [
        # Not on the list, or only by its looks.
        "https://coherent.global/x",
        "https://evilcoherent.global/x",
        "https://coherent.global.evil.com/x",
        "https://files.coherent.global.evil.com/x",
        "https://files-coherent.global/x",
        "https://a.coherent.globa1/x",
        "https://example.org/x",
        "https://a.files.example.org/x",
        "https://xn--cherent-n4a.global/x",
        # A port that is not listed.
        "https://a.coherent.global:8443/x",
        "https://a.coherent.global:80/x",
        "https://a.coherent.global:0/x",
        "https://a.coherent.global:65536/x",
        "https://a.coherent.global:/x",
        "https://a.coherent.global:+443/x",
        "https://a.coherent.global:٤٤٣/x",
        "https://a.example.com/x",
        "https://files.example.net/x",
        "https://10.1.2.3/x",
        "https://[::1]/x",
        # No HTTPS.
        "http://a.coherent.global/x",
        "ftp://a.coherent.global/x",
        "file:///etc/passwd",
        "data:text/plain,x",
        "//a.coherent.global/x",
        "a.coherent.global/x",
        "/x",
        "",
        "https:",
        "https://",
        "https:///x",
        "https:/a.coherent.global/x",
        "https:a.coherent.global",
        # User info.
        "https://user@a.coherent.global/x",
        "https://user:pass@a.coherent.global/x",
        "https://a.coherent.global@evil.com/x",
        "https://a.coherent.global:443@evil.com/x",
        "https://@a.coherent.global/x",
        "https://a.coherent.global%40evil.com/x",
        # What parsers see differently.
        "https://evil.com\\@a.coherent.global/x",
        "https://a.coherent.global\\.evil.com/x",
        "https:\\\\a.coherent.global/x",
        "https://a.coherent.global\t.evil.com/x",
        "https://a.coherent\n.global/x",
        "https://a.coherent.global/\r\nHost: evil.com",
        "https://a.coherent.global\x00.evil.com/x",
        " https://a.coherent.global/x",
        "https://a.coherent.global/x\n",
        "https://a coherent.global/x",
        "https://a.coherent\u3002global/x",
        "https://\uff41.coherent.global/x",
        "https://bücher.coherent.global/x",
        "https://a%2ecoherent.global/x",
        # No name, or a name that is none.
        "https://.coherent.global/x",
        "https://a..coherent.global/x",
        "https://a.coherent.global../x",
        "https://-a.coherent.global/x",
        "https://*.coherent.global/x",
        f"https://{'a' * 64}.coherent.global/x",
        f"https://{'a.' * 130}coherent.global/x",
        # Addresses in all spellings.
        "https://127.0.0.1/x",
        "https://2130706433/x",
        "https://2130706433:9000/x",
        "https://0x7f000001:9000/x",
        "https://0x7f.0.0.1:9000/x",
        "https://0177.0.0.1:9000/x",
        "https://127.1:9000/x",
        "https://127.0.0.01:9000/x",
        "https://[::ffff:127.0.0.1]:9000/x",
        "https://[::1%25lo]:9000/x",
        "https://[::1/x",
        "https://[v1.a]/x",
        "https://[]/x",
        "https://::1:9000/x",
        "https://1.2.3.4.coherent.global.9/x",
        # Listed, and refused all the same.
        "https://169.254.169.254/latest/meta-data/",
        "https://[fe80::1]/x",
        "https://[::ffff:169.254.169.254]/x",
        "https://[::ffff:a9fe:a9fe]/x",
        "https://[fd00:ec2::254]/x",
        "https://[64:ff9b::a9fe:a9fe]/x",
        "https://[64:ff9b::169.254.169.254]/x",
        "https://[64:ff9b::808:808]/x",
        "https://[2002:a9fe:a9fe::1]/x",
        "https://168.63.129.16/x",
        "https://0.0.0.0/x",
        "https://224.0.0.1/x",
    ],
)
def test_every_other_url_is_refused(url: str) -> None:
    with pytest.raises(DownloadRefusedError):
        MANY.check(url)


def test_a_refusal_names_host_and_remedy_but_no_part_of_path_or_query() -> None:
    with pytest.raises(DownloadRefusedError) as refused:
        SPARK.check("https://bucket.s3.amazonaws.com:8443/SECRET-PATH?X-Amz-Signature=SECRET#SECRET")

    assert '"bucket.s3.amazonaws.com:8443" to download_hosts' in str(refused.value)
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://user:SECRET@a.coherent.global/", "https://SECRET\\@x/", "https://[SECRET/", "SECRET"]
)
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(DownloadRefusedError) as refused:
        SPARK.check(url)

    assert "SECRET" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_path_and_query_reach_the_server_as_they_were_signed() -> None:
    location = SPARK.check("https://a.coherent.global/%7Ea/b%2Fc/a b/ü?sig=a%2Bb+c/d==&x={1}#fragment")

    assert location.target == "/%7Ea/b%2Fc/a%20b/%C3%BC?sig=a%2Bb+c/d==&x=%7B1%7D"
    assert location.target not in repr(location)


@pytest.mark.parametrize(
    ("url", "home"),
    [
        ("https://excel.uat.us.coherent.global/x", True),
        ("https://EXCEL.uat.us.coherent.global:443/x", True),
        ("https://files.uat.us.coherent.global/x", False),
    ],
)
def test_home_is_the_origin_of_base_url_alone(url: str, home: bool) -> None:  # noqa: FBT001 - a table
    assert SPARK.check(url).home is home


def test_home_includes_the_port() -> None:
    policy = HostPolicy(("api.example.org", "api.example.org:8443"), "https://api.example.org:8443/v3/")

    assert policy.check("https://api.example.org:8443/x").home
    assert not policy.check("https://api.example.org/x").home


@pytest.mark.parametrize("half", ["/\ud800", "/x?y=\udfff"])
def test_half_a_character_is_no_url(half: str) -> None:
    with pytest.raises(DownloadRefusedError):
        SPARK.check(f"https://a.coherent.global{half}")


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("/other?sig=2", "https://a.coherent.global/other?sig=2"),
        ("other", "https://a.coherent.global/folder/other"),
        ("?sig=2", "https://a.coherent.global/folder/file?sig=2"),
        ("//b.coherent.global/x", "https://b.coherent.global/x"),
        ("https://b.coherent.global/\u00c3\u00bc", "https://b.coherent.global/%C3%BC"),
    ],
)
def test_a_redirect_leads_where_it_says(target: str, url: str) -> None:
    location = SPARK.check("https://a.coherent.global/folder/file?sig=1")

    assert SPARK.follow(location, target).url == url


@pytest.mark.parametrize(
    "target",
    [
        "http://a.coherent.global/x",
        "https://evil.com/x",
        "//evil.com/x",
        "https://169.254.169.254/x",
        "https://127.0.0.1/x",
        "/\\evil.com/x",
        "\\\\evil.com/x",
        "https://a.coherent.global:8443/x",
        "https://user@a.coherent.global/x",
        "\thttps://a.coherent.global/x",
        "https://[x/",
        "file:///etc/passwd",
        "",
        None,
    ],
)
def test_a_redirect_is_checked_like_any_url(target: str | None) -> None:
    location = SPARK.check("https://a.coherent.global/folder/file?sig=1")

    with pytest.raises(DownloadRefusedError):
        SPARK.follow(location, target)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "*",
        "*.",
        "*.com",
        "*.*.com",
        "a.*.com",
        "*.10.0.0.1",
        "*.[::1]",
        "https://files.example.com",
        "files.example.com/x",
        "user:SECRET@files.example.com",
        "files.example.com:0",
        "files.example.com:99999",
        " files.example.com",
        "bücher.example.com",
        "127.1",
    ],
)
def test_an_entry_that_nobody_can_read_is_a_configuration_error(entry: str) -> None:
    with pytest.raises(ConnectionConfigError, match=r"download_hosts\[1\]") as error:
        HostPolicy(("files.example.com", entry), BASE_URL)

    assert "SECRET" not in str(error.value)


@pytest.mark.parametrize(
    "base_url", ["http://a.example.com", "a.example.com", "https://u:SECRET@a.example.com"]
)
def test_a_base_url_that_is_none_is_a_configuration_error(base_url: str) -> None:
    with pytest.raises(ConnectionConfigError, match="base_url") as error:
        HostPolicy((), base_url)

    assert "SECRET" not in str(error.value)


_NAMES = ["coherent.global", "a.coherent.global", "evil.com", "*.", "443", "0x7f", "127.0.0.1", "::1", "xn--"]
_MARKS = [*".@:/\\?#[] \t\n", "..", "%2e", "%40", "\u3002", "\uff0e", "\uff41"]
_PIECES = st.sampled_from(_NAMES + _MARKS)


@given(st.one_of(st.lists(_PIECES, max_size=8).map("".join), st.text(max_size=40)))
@example("a.coherent.global\\@evil.com")
@example("evil.com#@a.coherent.global")
@example("evil.com?.coherent.global")
@example("a.coherent.global:443:80")
def test_whatever_the_authority_looks_like_only_hosts_below_the_domain_pass(authority: str) -> None:
    try:
        location = SPARK.check(f"https://{authority}/x")
    except DownloadRefusedError:
        return
    assert location.host.endswith(".coherent.global")
    assert location.port == 443
    assert location.target.isascii()
    assert not any(character in location.target for character in " \r\n\t")
    # What another reader, the one of a server or a proxy, would make of what we send.
    assert location.host.replace(".", "").replace("-", "").replace("_", "").isalnum()


@given(st.text(alphabet="abcXYZ019-_.", min_size=1, max_size=30))
def test_case_and_a_trailing_dot_change_nothing(label: str) -> None:
    def decide(host: str) -> str | None:
        try:
            return SPARK.check(f"https://{host}/x").host
        except DownloadRefusedError:
            return None

    host = f"{label}.coherent.global"
    assert decide(host) == decide(host.upper()) == decide(host + ".")
