"""Mails, by SMTP servers on this machine."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from anomalo_routes.delivery import DeliveryError
from anomalo_routes.mail import composed, mail

pytest.importorskip("aiosmtpd", reason="aiosmtpd is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FACTS: dict[str, Any] = {
    "job": "visits", "run": "0007-score", "model": "visits@3", "source": "/data/visits.csv", "rows": 3163, "alerts": 1,
    "threshold": "budget=1", "output": None, "folder": "/w/runs/0007-score", "warnings": ["the rows have drifted"],
    "drift": {"differs": True, "summary": "3 columns differ"},
    "top": [{"row": 17, "name": "Zoë", "score": 12.5, "p_value": 0.00032, "reasons": [
        {"column": "TBG", "contribution": 9.0, "observed": "110", "expected": "33"},
        {"column": "TSH", "contribution": 3.0, "observed": None, "expected": None}]}],
}  # fmt: skip


class Box:
    """Keeps what it is sent; the first answers may be others."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.answers: list[str] = []
        self.refuses: set[str] = set()
        self.port = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address in self.refuses:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        self.mails.append((envelope, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 OK"


def served(box: Box, **options: Any) -> Any:
    from aiosmtpd.controller import Controller

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port, **options)
    server.start()
    return server


@pytest.fixture
def box() -> Iterator[Any]:
    found = Box()
    server = served(found)
    found.port = server.port
    yield found
    server.stop()


def route(port: int, **options: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"host": "127.0.0.1", "port": port, "security": "none", "from": "anomalo@example.com"}
    return (
        facts | {"to": ["ops@example.com", "ann@example.com"], "timeout": 10.0, "retries": 2, "backoff": 0.0} | options
    )


def test_a_mail_with_the_alerts_and_their_reasons(box: Any) -> None:
    mail(route(box.port), FACTS)
    ((envelope, message),) = box.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("anomalo@example.com", ["ops@example.com", "ann@example.com"])
    assert message["Subject"] == "[anomalo] visits: 1 alert of 3,163 rows"
    assert message.get_content().replace("\r\n", "\n") == (
        "visits: 1 alert of 3,163 rows at budget=1\n"
        "\n"
        "source:  /data/visits.csv\n"
        "model:   visits@3\n"
        "run:     0007-score\n"
        "folder:  /w/runs/0007-score\n"
        "warning: 3 columns differ\n"
        "warning: the rows have drifted\n"
        "\n"
        "row 17, name Zoë: score 12.5, p-value 0.00032\n"
        "    TBG: 110 (usual: 33)\n"
        "    TSH: missing\n"
    )


def test_no_text_of_a_table_becomes_a_header() -> None:
    found = composed(route(25, subject=None), FACTS | {"job": "visits\nBcc: everybody@example.com"})
    assert found["Bcc"] is None
    assert found["Subject"] == "[anomalo] visits Bcc: everybody@example.com: 1 alert of 3,163 rows"
    assert composed(route(25, subject="Look here"), FACTS)["Subject"] == "Look here"


def test_a_server_that_is_busy_is_asked_again(box: Any) -> None:
    box.answers = ["451 try later", "451 try later"]
    mail(route(box.port), FACTS)
    assert len(box.mails) == 1
    box.answers = ["451 try later"] * 3
    with pytest.raises(DeliveryError, match=r"127.0.0.1 answers 451: try later, after 3 attempts"):
        mail(route(box.port), FACTS)


def test_a_refusal_is_reported(box: Any) -> None:
    box.answers = ["554 no spam"]
    with pytest.raises(DeliveryError, match=r"^127.0.0.1 answers 554: no spam$"):
        mail(route(box.port), FACTS)
    box.refuses = {"ann@example.com"}
    with pytest.raises(DeliveryError, match=r"^127.0.0.1 refuses ann@example.com$"):
        mail(route(box.port), FACTS)
    box.refuses = {"ann@example.com", "ops@example.com"}
    with pytest.raises(DeliveryError, match=r"refuses ops@example.com, ann@example.com"):
        mail(route(box.port), FACTS)


def test_a_server_without_encryption_is_not_trusted(box: Any) -> None:
    with pytest.raises(DeliveryError, match="STARTTLS extension not supported"):
        mail(route(box.port, security="starttls"), FACTS)
    assert box.mails == []


def test_a_server_that_is_not_there(box: Any) -> None:
    with pytest.raises(DeliveryError, match=r"no mail by 127.0.0.1: .*refused, after 2 attempts"):
        mail(route(1, retries=1), FACTS)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A context with a certificate of 127.0.0.1, which is trusted."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    request = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=127.0.0.1"]
    files = ["-keyout", "key.pem", "-out", "certificate.pem", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*request, *files], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return context


def allowed(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
    from aiosmtpd.smtp import AuthResult

    return AuthResult(success=(data.login, data.password) == (b"ann", b"s3cret"), handled=False)


def test_user_and_password_come_from_the_environment(
    certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box()
    server = served(box, tls_context=certificate, require_starttls=True, authenticator=allowed, auth_required=True)
    secure = route(server.port, security="starttls", user_env="MAIL_USER", password_env="MAIL_PASSWORD")
    try:
        monkeypatch.setenv("MAIL_USER", "ann")
        monkeypatch.setenv("MAIL_PASSWORD", "s3cret")
        mail(secure, FACTS)
        assert len(box.mails) == 1
        monkeypatch.setenv("MAIL_PASSWORD", "wr0ng")
        with pytest.raises(DeliveryError, match=r"127.0.0.1 answers 535") as raised:
            mail(secure, FACTS)
        assert "wr0ng" not in str(raised.value)
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(DeliveryError, match="certificate verify failed"):
            mail(secure, FACTS)
    finally:
        server.stop()
    assert len(box.mails) == 1
