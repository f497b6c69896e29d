"""Who the emulated vendors let in, and what they say to the others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.vendor import Vendors
from tests.sandbox.vendor.client import DAY, Client

BODY = {"request_data": DAY}


def token_reply(vendors: Vendors, **changes: str) -> Any:
    form = {"client_id": vendors.client_id, "client_secret": vendors.client_secret}
    form |= {"grant_type": "client_credentials"} | changes
    path = f"/auth/realms/{vendors.tenant}/protocol/openid-connect/token"
    return Client(vendors).send("POST", path, headers={"Authorization": "Bearer None"}, data=form)


def status_of(vendors: Vendors, headers: dict[str, str], word: str = "downloadcsv") -> tuple[int, str]:
    client = Client(vendors, headers)
    reply = client.send("POST", client.log_path(word), json=BODY)
    error = reply.json()["error"]
    return reply.status_code, error["error_type"] if error else ""


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_client_credentials_buy_a_token_that_opens_the_log() -> None:
    with Vendors(token_seconds=120) as vendors:
        granted = token_reply(vendors).json()

        assert granted["expires_in"] == 120
        assert granted["token_type"] == "Bearer"
        assert status_of(vendors, bearer(granted["access_token"])) == (200, "")


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": "wrong"}, 401, "unauthorized_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_wrong_client_is_refused_as_keycloak_does(changes: dict[str, str], status: int, error: str) -> None:
    with Vendors() as vendors:
        reply = token_reply(vendors, **changes)

    assert (reply.status_code, reply.json()["error"]) == (status, error)


def test_a_token_expires_by_the_clock() -> None:
    # Given a token for a minute
    now = [1000.0]
    with Vendors(token_seconds=60, clock=lambda: now[0]) as vendors:
        headers = bearer(token_reply(vendors).json()["access_token"])
        assert status_of(vendors, headers)[0] == 200

        # When the minute is over
        now[0] += 60

        # Then it is refused, and a fresh one is not
        assert status_of(vendors, headers) == (401, "INVALID_TOKEN")
        assert status_of(vendors, bearer(token_reply(vendors).json()["access_token"]))[0] == 200


def test_revoked_tokens_and_rotated_secrets_are_refused_at_once() -> None:
    with Vendors() as vendors:
        issued, lasting, key = token_reply(vendors).json()["access_token"], vendors.token, vendors.api_key
        old = vendors.client_secret

        vendors.access.revoke_issued()
        vendors.access.rotate_secret()
        vendors.access.rotate_token()
        vendors.access.rotate_key()

        tenant = {"x-tenant-name": vendors.tenant}
        assert status_of(vendors, bearer(issued))[0] == 401
        assert status_of(vendors, bearer(lasting))[0] == 401
        assert status_of(vendors, {"x-synthetic-key": key, **tenant})[0] == 401
        assert token_reply(vendors, client_secret=old).status_code == 401
        # and what is in force now, as the connections say it, is taken
        assert token_reply(vendors).status_code == 200
        assert vendors.secret("bearer")["auth"]["token"] == vendors.token != lasting
        assert status_of(vendors, {"x-synthetic-key": vendors.api_key, **tenant})[0] == 200


def test_an_api_key_needs_its_tenant_and_no_authorization_beside_it() -> None:
    with Vendors() as vendors:
        key = {"x-synthetic-key": vendors.api_key}
        tenant = {"x-tenant-name": vendors.tenant}

        assert status_of(vendors, key | tenant)[0] == 200
        assert status_of(vendors, key)[0] == 401
        assert status_of(vendors, key | tenant | bearer(vendors.token)) == (401, "INVALID_TOKEN")
        assert status_of(vendors, {})[0] == 401


@pytest.mark.parametrize(
    ("permission", "open_to"),
    [
        ("Spark.DownloadCsvLog.json", {"downloadcsv"}),
        ("Spark.DownloadJSONLog.json", {"downloadJSON"}),
        ("Spark.DownloadAPILog.json", {"call"}),
        ("Spark.AllEncompassingProxy.json", {"downloadcsv", "downloadJSON", "call"}),
    ],
)
def test_an_api_key_opens_what_its_permissions_name(permission: str, open_to: set[str]) -> None:
    with Vendors(permissions=frozenset({permission})) as vendors:
        headers = {"x-synthetic-key": vendors.api_key, "x-tenant-name": vendors.tenant}
        client = Client(vendors, headers)
        call = f"/{vendors.tenant}/api/v3/log/getexecutionhistorybycallid/{vendors.call_id}"
        found = {word: status_of(vendors, headers, word)[0] for word in ("downloadcsv", "downloadJSON")}
        found["call"] = client.send("GET", call).status_code

    assert {word for word, status in found.items() if status == 200} == open_to
    assert {status for status in found.values() if status != 200} <= {403}


def test_events_take_no_api_key() -> None:
    with Vendors() as vendors:
        headers = {"x-synthetic-key": vendors.api_key, "x-tenant-name": vendors.tenant}
        path = f"/{vendors.tenant}/api/v4/events/download"

        assert Client(vendors, headers).send("POST", path, json={}).status_code == 401
        assert Client(vendors).send("POST", path, json={}).status_code == 200


def test_ibm_wants_a_uaa_token_with_its_scheme_and_the_space() -> None:
    with Vendors() as vendors:
        client = Client(vendors)
        good = client.ibm_headers()
        body = {"start": "2018-06-28", "end": "2018-06-28", "AtAccountLevel": False, "SearchTime": ""}

        def status(headers: dict[str, str]) -> int:
            return client.send("POST", "/v3/sessions", headers=headers, json=body).status_code

        assert status(good) == 200
        assert status(good | {"X-Auth-Token": good["X-Auth-Token"].removeprefix("bearer ")}) == 401
        assert status(good | {"X-Auth-Token": "bearer nonsense"}) == 401
        assert status(good | {"X-Auth-Token": f"bearer {vendors.token}"}) == 401
        assert status(good | {"X-Auth-Project-Id": "another-space"}) == 403


@pytest.mark.parametrize(
    "changes", [{"password": "wrong"}, {"username": "me"}, {"grant_type": "client_credentials"}]
)
def test_uaa_refuses_all_but_the_documented_grant(changes: dict[str, str]) -> None:
    with Vendors() as vendors:
        auth = vendors.secret("uaa")["auth"]
        form = {"grant_type": "password", "username": "apikey", "password": auth["api_key"]} | changes
        reply = Client(vendors).send("POST", auth["token_url"], headers={}, auth=("cf", ""), data=form)

    assert reply.status_code in {400, 401}


def test_the_usual_connections_are_complete_secret_documents() -> None:
    with Vendors() as vendors:
        connections = vendors.connections
        hosts = {vendors.base_url.removeprefix("https://"), vendors.download_url.removeprefix("https://")}

    kinds = {name: secret["auth"]["type"] for name, secret in connections.items()}
    assert kinds == {
        "acme-uat": "client_credentials",
        "acme-bearer": "bearer",
        "acme-key": "api_key",
        "ibm-prod": "uaa",
    }
    for name, secret in connections.items():
        assert set(secret["download_hosts"]) <= hosts
        assert ("space_id" if name == "ibm-prod" else "tenant") in secret
