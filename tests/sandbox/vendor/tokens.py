"""The two token endpoints: Keycloak's client credentials for Spark, UAA's password grant for IBM."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tests.sandbox.vendor.messages import Answer, Received, RefusedError

if TYPE_CHECKING:
    from tests.sandbox.vendor.access import Access


def oauth_error(status: int, error: str, description: str) -> RefusedError:
    """Give an OAuth 2 error (RFC 6749, 5.2) as an exception."""
    return RefusedError(Answer.of_json({"error": error, "error_description": description}, status))


class TokenEndpoints:
    """Issues tokens. Credentials in other headers are ignored: the vendor's SDK sends `Bearer None` here."""

    def __init__(self, access: Access) -> None:
        self.access = access

    def keycloak(self, received: Received) -> Answer:
        """Serve `POST /auth/realms/{tenant}/protocol/openid-connect/token`."""
        (realm,) = received.params
        if realm != self.access.tenant:
            raise RefusedError(Answer.of_json({"error": "Realm does not exist"}, 404))
        form = received.form
        if form is None:
            raise oauth_error(400, "invalid_request", "Missing form parameter: grant_type")
        if form.get("grant_type") != "client_credentials":
            raise oauth_error(400, "unsupported_grant_type", "Unsupported grant_type")
        if form.get("client_id") != self.access.client_id:
            raise oauth_error(401, "invalid_client", "Invalid client or Invalid client credentials")
        if form.get("client_secret") != self.access.client_secret:
            raise oauth_error(401, "unauthorized_client", "Invalid client or Invalid client credentials")
        return Answer.of_json(
            {
                "access_token": self.access.issue(),
                "expires_in": int(self.access.knobs.token_seconds),
                "refresh_expires_in": 0,
                "token_type": "Bearer",
                "not-before-policy": 0,
                "scope": "email profile",
            }
        )

    def uaa(self, received: Received) -> Answer:
        """Serve `POST /UAALoginServerWAR/oauth/token`: Basic `cf:`, password grant, username `apikey`."""
        basic = "Basic " + base64.b64encode(b"cf:").decode()
        form = received.form or {}
        if received.headers.get("authorization") != basic:
            raise oauth_error(401, "unauthorized", "Bad client credentials")
        if form.get("grant_type") != "password" or form.get("username") != "apikey":
            raise oauth_error(400, "invalid_request", "grant_type password with username apikey is wanted")
        if form.get("password") != self.access.uaa_key:
            raise oauth_error(401, "invalid_grant", "Provided API key could not be found")
        return Answer.of_json(
            {
                "access_token": self.access.issue(),
                "token_type": "bearer",
                "expires_in": int(self.access.knobs.token_seconds),
                "scope": "cloud_controller.read openid",
            }
        )
