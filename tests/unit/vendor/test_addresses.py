from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logferry.errors import DownloadRefusedError, SourceUnavailableError
from logferry.vendor.egress import HostPolicy

SPARK = HostPolicy(("*.coherent.global",), "https://excel.uat.us.coherent.global")
EXACT = HostPolicy(("files.example.org", "127.0.0.1:9000", "[::1]:9000"), "https://files.example.org")
PUBLIC, LOOPBACK = "93.184.216.34", "127.0.0.1"


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object, **__: object) -> None:
        pytest.fail("a socket was opened, or a name looked up")

    monkeypatch.setattr(socket, "socket", explode)
    monkeypatch.setattr(socket, "create_connection", explode)
    monkeypatch.setattr(socket, "getaddrinfo", explode)


class Resolver:
    """Answers each call with the next list of addresses, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        self.calls.append((host, port))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - to be refused
        "169.254.169.254",
        "169.254.170.2",
        "192.0.2.1",
        "198.18.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "224.0.0.1",
        "233.252.0.1",
        "168.63.129.16",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "4000::1",
        "2001::1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "::ffff:0:169.254.169.254",
        "2002:a9fe:a9fe::",
        "2002:7f00:1::1",
        "100::1",
    ],
)
def test_a_wildcard_host_must_be_public(address: str) -> None:
    location = SPARK.check("https://files.coherent.global/x")

    with pytest.raises(DownloadRefusedError, match=r"files\.coherent\.global has the address"):
        SPARK.addresses(location, Resolver([address]))
    with pytest.raises(DownloadRefusedError):
        SPARK.addresses(location, Resolver([PUBLIC, address]))


@pytest.mark.parametrize(
    "address", ["64:ff9b::808:808", "2002:808:808::1", "64:ff9b:1::808:808", "::ffff:0:808:808"]
)
def test_tunnels_to_public_addresses_are_passed_over(address: str) -> None:
    location = SPARK.check("https://files.coherent.global/x")

    assert SPARK.addresses(location, Resolver([address, PUBLIC])) == [PUBLIC]
    with pytest.raises(DownloadRefusedError):
        SPARK.addresses(location, Resolver([address]))


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd12::1", PUBLIC, "2606::1"],
)
def test_an_exact_host_is_the_operators_word(address: str) -> None:
    location = EXACT.check("https://files.example.org/x")

    assert EXACT.addresses(location, Resolver([address])) == [address]


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "::a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "::ffff:0:a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "2001:0:a9fe:a9fe::1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "0.0.0.0",  # noqa: S104 - to be refused
        "::",
        "224.0.0.1",
    ],
)
def test_link_local_and_metadata_are_refused_for_exact_hosts_too(address: str) -> None:
    location = EXACT.check("https://files.example.org/x")

    with pytest.raises(DownloadRefusedError):
        EXACT.addresses(location, Resolver([address]))


def test_an_ipv4_mapped_address_is_opened_as_the_ipv4_address_that_it_is() -> None:
    location = EXACT.check("https://files.example.org/x")

    assert EXACT.addresses(location, Resolver([f"::ffff:{PUBLIC}", PUBLIC])) == [PUBLIC]


def test_a_listed_address_is_never_looked_up() -> None:
    resolver = Resolver([PUBLIC])

    assert EXACT.addresses(EXACT.check("https://127.0.0.1:9000/x"), resolver) == ["127.0.0.1"]
    assert EXACT.addresses(EXACT.check("https://[::1]:9000/x"), resolver) == ["::1"]
    assert resolver.calls == []


def test_a_resolver_that_answers_public_first_and_loopback_next_gets_nowhere() -> None:
    # Given a name whose address changes between two questions
    resolver = Resolver([PUBLIC], [LOOPBACK])
    location = SPARK.check("https://files.coherent.global/x")

    # When it is resolved for one connection
    addresses = SPARK.addresses(location, resolver)

    # Then that one answer is all there is to connect to, and the next connection is refused
    assert addresses == [PUBLIC]
    assert len(resolver.calls) == 1
    with pytest.raises(DownloadRefusedError):
        SPARK.addresses(location, resolver)


def test_a_name_that_does_not_resolve_is_worth_another_try() -> None:
    def nothing(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(SourceUnavailableError, match=r"files\.coherent\.global"):
        SPARK.addresses(SPARK.check("https://files.coherent.global/SECRET"), nothing)


@given(st.ip_addresses(v=6))
def test_no_address_makes_the_policy_fail_otherwise(address: Any) -> None:
    location = SPARK.check("https://files.coherent.global/x")
    try:
        found = SPARK.addresses(location, Resolver([str(address)]))
    except DownloadRefusedError:
        return
    assert found in ([str(address)], [str(address.ipv4_mapped)])
    assert (address.ipv4_mapped or address).is_global
