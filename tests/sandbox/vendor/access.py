"""Who may ask: client credentials, bearer tokens, API keys with permissions, IBM's UAA tokens."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from typing import TYPE_CHECKING

from tests.sandbox.vendor.messages import Answer, Received, RefusedError, refuse

if TYPE_CHECKING:
    from tests.sandbox.vendor.knobs import Knobs

ANY_PERMISSION = "Spark.AllEncompassingProxy.json"


def fresh_secret(prefix: str) -> str:
    """Give a secret that no other run has."""
    return f"{prefix}{uuid.uuid4().hex}{uuid.uuid4().hex[:8]}"


def encoded(document: dict[str, object]) -> str:
    """Give one part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def fresh_token(tenant: str) -> str:
    """Give a token of the length and look of Keycloak's; nobody verifies its signature."""
    claims: dict[str, object] = {"jti": str(uuid.uuid4()), "realm": tenant, "typ": "Bearer", "azp": "spark"}
    signature = "".join(uuid.uuid4().hex for _ in range(8))
    return f"{encoded({'alg': 'RS256', 'typ': 'JWT'})}.{encoded(claims)}.{signature}"


class Access:
    """Credentials in force, and their checks. Every refusal looks as the vendor's own."""

    def __init__(self, tenant: str, knobs: Knobs) -> None:
        self.tenant = tenant
        self.knobs = knobs
        self.client_id = f"logferry-{uuid.uuid4().hex[:8]}"
        self.client_secret = fresh_secret("cs-")
        self.api_key = str(uuid.uuid4())
        self.token = fresh_token(tenant)
        self.uaa_key = fresh_secret("uaa-")
        self.space_id = str(uuid.uuid4())
        self._issued: dict[str, float] = {}
        self._lock = threading.Lock()

    def issue(self) -> str:
        """Give a token that lives for `token_seconds`."""
        token = fresh_token(self.tenant)
        with self._lock:
            self._issued[token] = self.knobs.clock() + self.knobs.token_seconds
        return token

    def revoke_issued(self) -> None:
        """Make every token that was issued so far invalid."""
        with self._lock:
            self._issued.clear()

    def rotate_secret(self) -> str:
        """Change the client secret; issued tokens stay valid."""
        self.client_secret = fresh_secret("cs-")
        return self.client_secret

    def rotate_token(self) -> str:
        """Change the long-lived bearer token; the old one is refused at once."""
        self.token = fresh_token(self.tenant)
        return self.token

    def rotate_key(self) -> str:
        """Change the API key; the old one is refused at once."""
        self.api_key = str(uuid.uuid4())
        return self.api_key

    def is_live(self, token: str) -> bool:
        """Tell whether a bearer token is accepted now."""
        with self._lock:
            return token == self.token or self._issued.get(token, 0.0) > self.knobs.clock()

    def check_spark(
        self, received: Received, tenant: str, permission: str | None = None, *, bearer_only: bool = False
    ) -> str:
        """Give the name of the credential that came (`bearer` or `api_key`), or refuse.

        An API key needs `x-tenant-name` and `permission` or the one that stands for all; an `Authorization`
        header beside it is INVALID_TOKEN, as public code found out.
        """
        headers = received.headers
        authorization, key = headers.get("authorization"), headers.get("x-synthetic-key")
        if key is not None and not bearer_only:
            if authorization is not None:
                raise refuse(401, "INVALID_TOKEN", "The token is invalid.")
            if key != self.api_key or headers.get("x-tenant-name") != tenant or tenant != self.tenant:
                raise refuse(401, "INVALID_SYNTHETIC_KEY", "The synthetic key is not valid for this tenant.")
            if permission and not {permission, ANY_PERMISSION} & self.knobs.permissions:
                raise refuse(403, "FORBIDDEN", "You do not have permission to perform this action.")
            return "api_key"
        if authorization is None or not authorization.startswith("Bearer "):
            raise refuse(401, "UNAUTHORIZED", "Authentication is required.")
        if not self.is_live(authorization.removeprefix("Bearer ")):
            raise refuse(401, "INVALID_TOKEN", "The token is invalid or has expired.")
        if tenant != self.tenant:
            raise refuse(404, "TENANT_NOT_FOUND", "The tenant could not be found.")
        return "bearer"

    def check_ibm(self, received: Received) -> None:
        """Want `X-Auth-Token: bearer {token}` and the space in `X-Auth-Project-Id`."""
        scheme, _, token = received.headers.get("x-auth-token", "").partition(" ")
        if scheme.lower() != "bearer" or not self.is_live(token) or token == self.token:
            raise RefusedError(Answer.of_json({"code": 401, "message": "Invalid or expired UAA token"}, 401))
        if received.headers.get("x-auth-project-id") != self.space_id:
            raise RefusedError(Answer.of_json({"code": 403, "message": "No role in this space"}, 403))
