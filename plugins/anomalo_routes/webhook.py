"""A route that posts the payload to a URL, signed and with further attempts."""

from __future__ import annotations

import hmac
import http.client
import json
import urllib.request
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from anomalo_routes.delivery import DeliveryError, attempts, secret

SIGNATURE = "X-Anomalo-Signature"
"""The header with `sha256=` and the HMAC-SHA256 of the body, in hexadecimal."""
DELIVERY = "X-Anomalo-Delivery"
"""The header by which a receiver recognises a payload that comes once more."""
TOO_MANY = 429


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would send the payload, or the token, to somebody else."""

    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        """Follow none."""


def post(route: dict[str, Any], facts: dict[str, Any]) -> None:
    """Post the payload as JSON.

    Raises
    ------
    DeliveryError
        The address is not valid, the answer is not 2xx, or there is none in time.
    """
    url = secret(route, "url_env") or route["url"]
    where = _host(url)
    request = _request(route, facts, url)

    def attempt() -> None:
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=route["timeout"]) as answer:
                answer.read(1)
        except HTTPError as error:
            error.close()
            passing = error.code >= 500 or error.code == TOO_MANY
            raise DeliveryError(f"HTTP {error.code} from {where}", passing=passing) from None
        except URLError as error:
            raise DeliveryError(f"no answer from {where}: {error.reason}", passing=True) from None
        except (OSError, http.client.HTTPException) as error:
            text = str(error) or type(error).__name__
            raise DeliveryError(f"no answer from {where}: {text}", passing=True) from None

    attempts(route, attempt)


def _host(url: str) -> str:
    """Return the host of an address; no message of a library, which would show the address, is passed on."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isascii()
    except ValueError:
        whole = False
    if not whole or any(sign.isspace() for sign in url):
        raise DeliveryError("the address is no http:// or https:// URL")
    return str(parts.hostname)


def _request(route: dict[str, Any], facts: dict[str, Any], url: str) -> urllib.request.Request:
    body = json.dumps(facts).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "anomalo"}
    headers[DELIVERY] = f"{facts['run']}/{facts['route']}"
    key, token = secret(route, "secret_env"), secret(route, "token_env")
    if key is not None:
        headers[SIGNATURE] = f"sha256={hmac.new(key.encode(), body, 'sha256').hexdigest()}"
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if token is not None and not (token.isascii() and token.isprintable()):
        raise DeliveryError("the token has characters that no header can have")
    return urllib.request.Request(url, body, headers, method="POST")
