"""Webhooks: what is posted, further attempts, signatures, and that no secret is shown."""

import hashlib
import hmac
import json
import socket
import time
from typing import Any

import pytest

from anomalo_routes.delivery import DeliveryError
from anomalo_routes.webhook import post

FACTS = {"run": "0007-score", "route": "chat", "alerts": 3, "job": "visits"}


def route(receiver: Any, **options: Any) -> dict[str, Any]:
    return {"url": receiver.url, "timeout": 5.0, "retries": 2, "backoff": 0.01} | options


def test_the_payload_is_posted_as_json(receiver: Any) -> None:
    post(route(receiver), FACTS)
    ((path, headers, body),) = receiver.got
    assert (path, json.loads(body)) == ("/hook", FACTS)
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Anomalo-Delivery"] == "0007-score/chat"
    assert not {"Authorization", "X-Anomalo-Signature"} & set(headers)


def test_signature_and_token_come_from_the_environment(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_SECRET", "s3cret")
    monkeypatch.setenv("CHAT_TOKEN", "t0ken")
    monkeypatch.setenv("CHAT_URL", receiver.url)
    hidden = {"url_env": "CHAT_URL", "secret_env": "CHAT_SECRET", "token_env": "CHAT_TOKEN"}
    post(route(receiver, **hidden), FACTS)
    ((_, headers, body),) = receiver.got
    assert headers["X-Anomalo-Signature"] == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert headers["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_failure_of_the_server_is_tried_again(receiver: Any, code: int) -> None:
    receiver.answers = [code, code, 200]
    post(route(receiver), FACTS)
    assert len(receiver.got) == 3
    assert len({body for _, _, body in receiver.got}) == 1


def test_the_pauses_double(receiver: Any) -> None:
    receiver.answers = [500, 500, 500, 200]
    started = time.monotonic()
    post(route(receiver, retries=3, backoff=0.1), FACTS)
    assert time.monotonic() - started >= 0.1 + 0.2 + 0.4


def test_the_last_failure_is_reported(receiver: Any) -> None:
    receiver.answers = [500] * 9
    with pytest.raises(DeliveryError, match=r"^HTTP 500 from 127.0.0.1, after 3 attempts$"):
        post(route(receiver), FACTS)
    assert len(receiver.got) == 3


@pytest.mark.parametrize("code", [400, 401, 404])
def test_a_refusal_is_not_tried_again(receiver: Any, code: int) -> None:
    receiver.answers = [code]
    with pytest.raises(DeliveryError, match=f"^HTTP {code} from 127.0.0.1$"):
        post(route(receiver), FACTS)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("code", [301, 302, 307])
def test_a_redirect_is_not_followed(receiver: Any, code: int) -> None:
    receiver.answers = [code]
    with pytest.raises(DeliveryError, match=f"^HTTP {code}"):
        post(route(receiver), FACTS)
    assert len(receiver.got) == 1


def test_a_server_that_does_not_answer_in_time(receiver: Any) -> None:
    receiver.delay = 1.0
    started = time.monotonic()
    with pytest.raises(DeliveryError, match=r"no answer from 127.0.0.1: .*timed out, after 2 attempts"):
        post(route(receiver, timeout=0.1, retries=1), FACTS)
    assert time.monotonic() - started < 1.0


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(DeliveryError, match=r"no answer from 127.0.0.1: .*refused, after 3 attempts"):
            post({"url": url, "timeout": 1.0, "retries": 2, "backoff": 0.0}, FACTS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url_env", "https://ann:s3cret@[bad/"),
        ("url_env", "file:///s3cret"),
        ("url_env", "http://host:s3cret/"),
        ("url_env", "http://127.0.0.1/s3cret path"),
        ("token_env", "s3cret\n"),
        ("url_env", ""),
    ],
)
def test_no_message_shows_a_secret(receiver: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("HIDDEN", value)
    with pytest.raises(DeliveryError) as raised:
        post(route(receiver, retries=0) | {name: "HIDDEN"}, FACTS)
    assert "s3cret" not in str(raised.value)
    assert receiver.got == []


def test_a_variable_that_is_not_set(receiver: Any) -> None:
    with pytest.raises(DeliveryError, match=r"the environment variable NOT_SET_HERE \(secret_env\) is not set"):
        post(route(receiver, secret_env="NOT_SET_HERE"), FACTS)
