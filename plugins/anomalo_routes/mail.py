"""A route that sends a mail: the facts of the run, and the most anomalous alerts with their reasons."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from anomalo_routes.delivery import DeliveryError, attempts, secret

PASSING = range(400, 500)
"""Answers of a server after which another attempt may succeed."""


def mail(route: dict[str, Any], facts: dict[str, Any]) -> None:
    """Send a mail by SMTP.

    Raises
    ------
    DeliveryError
        The server cannot be reached, or refuses user, sender or recipients.
    """
    message = composed(route, facts)
    user, password = secret(route, "user_env"), secret(route, "password_env")

    def attempt() -> None:
        try:
            with _connected(route) as server:
                if user is not None and password is not None:
                    server.login(user, password)
                refused = server.send_message(message)
        except smtplib.SMTPResponseException as error:
            text = error.smtp_error if isinstance(error.smtp_error, str) else error.smtp_error.decode(errors="replace")
            passing = error.smtp_code in PASSING
            raise DeliveryError(f"{route['host']} answers {error.smtp_code}: {text}", passing=passing) from None
        except smtplib.SMTPRecipientsRefused as error:
            passing = all(code in PASSING for code, _ in error.recipients.values())
            text = f"{route['host']} refuses {', '.join(error.recipients)}"
            raise DeliveryError(text, passing=passing) from None
        except (OSError, smtplib.SMTPException) as error:
            passing = not isinstance(error, ssl.SSLCertVerificationError | smtplib.SMTPNotSupportedError)
            raise DeliveryError(f"no mail by {route['host']}: {error}", passing=passing) from None
        if refused:
            raise DeliveryError(f"{route['host']} refuses {', '.join(refused)}")

    attempts(route, attempt)


def _connected(route: dict[str, Any]) -> smtplib.SMTP:
    address, timeout = (route["host"], route["port"]), route["timeout"]
    if route["security"] == "tls":
        return smtplib.SMTP_SSL(*address, timeout=timeout, context=ssl.create_default_context())
    server = smtplib.SMTP(*address, timeout=timeout)
    if route["security"] == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def composed(route: dict[str, Any], facts: dict[str, Any]) -> EmailMessage:
    """Return the mail."""
    message = EmailMessage()
    alerts = f"{facts['alerts']:,} {'alert' if facts['alerts'] == 1 else 'alerts'} of {facts['rows']:,} rows"
    if "intervals" in facts:
        alerts += f", in {facts['intervals']:,} {'interval' if facts['intervals'] == 1 else 'intervals'}"
    message["Subject"] = " ".join((route.get("subject") or f"[anomalo] {facts['job']}: {alerts}").split())
    message["From"], message["To"] = route["from"], ", ".join(route["to"])
    message["Date"], message["Message-ID"] = formatdate(localtime=True), make_msgid()
    message.set_content("\n".join(_lines(facts, alerts)) + "\n")
    return message


def _lines(facts: dict[str, Any], alerts: str) -> Iterator[str]:
    yield f"{facts['job']}: {alerts} at {facts['threshold']}"
    yield ""
    for name in ("source", "model", "run", "output", "folder"):
        if facts[name] is not None:
            yield f"{name + ':':<8} {facts[name]}"
    drift = (facts["drift"] or {}).get("summary")
    for text in (*([drift] if drift else []), *facts["warnings"]):
        yield f"warning: {text}"
    for row in facts["top"]:
        yield ""
        names = {name: cell for name, cell in row.items() if name not in ("row", "score", "p_value", "reasons")}
        named = "".join(f", {name} {cell}" for name, cell in names.items())
        yield f"row {row['row']}{named}: score {row['score']:.4g}, p-value {row['p_value']:.2g}"
        for reason in (row["reasons"] or [])[:3]:
            yield f"    {_cell(reason)}"


def _cell(reason: dict[str, Any]) -> str:
    """Return one reason.

    Examples
    --------
    >>> _cell({"column": "TSH", "observed": "145", "expected": "1.2"})
    'TSH: 145 (usual: 1.2)'
    """
    observed = "missing" if reason["observed"] is None else reason["observed"]
    usual = f" (usual: {reason['expected']})" if reason["expected"] not in (None, reason["observed"]) else ""
    return f"{reason['column']}: {observed}{usual}"
