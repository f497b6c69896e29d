"""A tenant of one's own, at the first try: what is wrong is said before anything is deployed."""

from __future__ import annotations

import json
import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.cli import main
from tests.sandbox.vendor import Vendors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRUSTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
PROXIES = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*TRUSTS, *PROXIES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with Vendors() as vendors:
        yield vendors


@pytest.fixture
def asked(vendors: Vendors, tmp_path: Path) -> Path:
    path = tmp_path / "input.json"
    target = {"call_id": vendors.call_id}
    path.write_text(json.dumps({"source": "spark-call", "connection": "mine", "target": target}))
    return path


def connection_file(folder: Path, secret: Any, mode: int = 0o600) -> Path:
    path = folder / "my-connection.json"
    path.write_text(json.dumps(secret))
    path.chmod(mode)
    return path


def refusal(capsys: pytest.CaptureFixture[str], asked: Path, connection: Path) -> str:
    status = main(["run", str(asked), "--connection", str(connection)])
    printed = capsys.readouterr()
    assert (status, printed.out) == (2, "")
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    return printed.err


@pytest.mark.parametrize("trust", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_vendors_own_connection_works_as_it_is_and_what_lands_is_the_owners_alone(
    capsys: pytest.CaptureFixture[str],
    vendors: Vendors,
    asked: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trust: str,
) -> None:
    # Given
    connection = connection_file(tmp_path, vendors.announcement["connection"])
    monkeypatch.setenv(trust, vendors.ca_file)
    out, state = tmp_path / "a" / "landed", tmp_path / "state"
    folders = ["--out", str(out), "--state", str(state)]

    # When
    status = main(["run", str(asked), "--json", "--connection", str(connection), *folders])

    # Then
    assert status == 0
    assert json.loads(capsys.readouterr().out)["status"] == "SUCCEEDED"
    made = [out.parent, out, state, *out.rglob("*"), *state.rglob("*")]
    assert {stat.S_IMODE(one.stat().st_mode) for one in made if one.is_dir()} == {0o700}
    assert {stat.S_IMODE(one.stat().st_mode) for one in made if one.is_file()} == {0o600}


def test_an_untrusted_certificate_is_said_with_what_to_set(
    capsys: pytest.CaptureFixture[str], vendors: Vendors, asked: Path, tmp_path: Path
) -> None:
    told = refusal(capsys, asked, connection_file(tmp_path, vendors.secret("bearer")))

    assert "certificate that is not trusted" in told
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CaBundleLayerArn", "CaBundlePath"):
        assert name in told
    assert vendors.requests == []


def test_a_refused_port_is_said(
    capsys: pytest.CaptureFixture[str], vendors: Vendors, asked: Path, tmp_path: Path
) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        origin = f"127.0.0.1:{taken.getsockname()[1]}"
        secret = vendors.secret("bearer") | {"base_url": f"https://{origin}"}

        told = refusal(capsys, asked, connection_file(tmp_path, secret))

    assert f"{origin} refuses the connection" in told


def test_an_unknown_host_name_is_said(
    capsys: pytest.CaptureFixture[str], vendors: Vendors, asked: Path, tmp_path: Path
) -> None:
    secret = vendors.secret("bearer") | {"base_url": "https://excel.nowhere.invalid"}

    told = refusal(capsys, asked, connection_file(tmp_path, secret))

    assert "no host is known by the name excel.nowhere.invalid" in told


def test_a_ca_bundle_that_is_not_there_is_said(
    capsys: pytest.CaptureFixture[str],
    vendors: Vendors,
    asked: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")

    told = refusal(capsys, asked, connection_file(tmp_path, vendors.secret("bearer")))

    assert "REQUESTS_CA_BUNDLE names /nowhere/ca.pem" in told


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_connection_file_that_others_can_read_is_refused(
    capsys: pytest.CaptureFixture[str], vendors: Vendors, asked: Path, tmp_path: Path, mode: int
) -> None:
    path = connection_file(tmp_path, vendors.secret("bearer"), mode)

    assert f"chmod 600 {path}" in refusal(capsys, asked, path)


def test_a_wrong_key_in_the_connection_is_said_before_anything_is_deployed(
    capsys: pytest.CaptureFixture[str], vendors: Vendors, asked: Path, tmp_path: Path
) -> None:
    secret = vendors.secret("bearer")
    del secret["tenant"]

    assert "tenant: is missing" in refusal(capsys, asked, connection_file(tmp_path, secret))
