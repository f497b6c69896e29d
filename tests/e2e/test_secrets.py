"""No credential, token or download URL leaves the functions, whatever happens; our logger is at DEBUG."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from tests.sandbox.vendor.delivery import Delivery
from tests.sandbox.vendor.messages import Reply

if TYPE_CHECKING:
    from tests.e2e.world import World


def spellings(secret: str) -> set[str]:
    """Give a secret as it may be written: in clear, percent-encoded, base64 at each alignment."""
    found = {secret, quote(secret, safe="")}
    for lead in range(3):
        text = base64.b64encode(b"x" * lead + secret.encode()).decode().rstrip("=")
        found.add(text[4 if lead else 0 : -2])
        found.add(text[4 if lead else 0 : -2].replace("+", "-").replace("/", "_"))
    return found


def test_planted_secrets_are_found_nowhere(world: World) -> None:
    # Given every kind of credential, and troubles at every step
    page = Delivery.html_page()
    connections = ("acme-uat", "acme-bearer", "acme-key")
    histories = [world.run(connection=connection).history for connection in connections]
    histories.append(world.run(source="ibm-activity-tracker").history)
    echo = {"error": {"message": f"bad token {world.vendors.token} key={world.vendors.api_key}"}}
    for trouble in (Reply(401, json=echo), Reply(500, json=echo), Reply(400, json=echo), Reply.lost()):
        world.vendors.script("submit", trouble)
        histories.append(world.run(connection="acme-bearer", refresh=True).history)
    for delivery in (
        page,
        Delivery(status=403),
        Delivery(cut=100),
        Delivery(redirect="https://evil.example/x"),
    ):
        world.vendors.deliver(delivery)
        histories.append(world.run(connection="acme-key", refresh=True).history)
    # When everything that can be seen is put together
    requests = world.vendors.requests
    issued = {
        str(each.headers.get(name, "")).partition(" ")[2]
        for each in requests
        for name in ("authorization", "x-auth-token")
    }
    paths = {each.path for each in requests if (each.step, each.origin) == ("download", "download")}
    planted = {
        world.vendors.token,
        world.vendors.api_key,
        world.vendors.client_secret,
        world.vendors.secret("uaa")["auth"]["api_key"],
        *(each for each in issued if len(each) > 8),
        *(part for path in paths for part in urlsplit(path).path.split("/") if len(part) > 30),
    }
    assert len(planted) > 10
    seen = {
        "logs": world.sandbox.logs(),
        "history": json.dumps(histories, default=str),
        "notifications": json.dumps(world.notifications()),
        "ledger": json.dumps(world.sandbox.ledger(), default=str),
        "metadata": json.dumps(
            [each.metadata for each in world.sandbox.objects(all_versions=True)], default=str
        ),
        "manifests": "".join(
            world.sandbox.read(each.key).decode()
            for each in world.sandbox.objects()
            if each.key.endswith(".manifest.json")
        ),
    }
    assert '"level":"DEBUG"' in seen["logs"]
    # Then
    for secret in planted:
        for spelling in spellings(secret):
            for place, text in seen.items():
                assert spelling not in text, f"a secret stands in the {place}"
