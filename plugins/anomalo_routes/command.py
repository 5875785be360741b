"""A route that starts a program: the payload is its standard input, and its main facts are in the environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from anomalo_routes.delivery import DeliveryError

VARIABLES = ("job", "run", "model", "source", "rows", "alerts", "output", "folder")
"""What is in the environment, as ANOMALO_JOB and so on."""


def start(route: dict[str, Any], facts: dict[str, Any], folder: Path) -> None:
    """Start the program in a folder, without a shell, and wait for its end.

    Raises
    ------
    DeliveryError
        It cannot be started, takes longer than the timeout, or ends with another code than 0.
    """
    values = {f"ANOMALO_{name.upper()}": str(facts[name] or "") for name in VARIABLES}
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                route["command"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=os.environ | values,
                cwd=folder,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise DeliveryError(f"{route['command'][0]} cannot be started: {error}") from error
        code = _ended(process, json.dumps(facts).encode(), route)
        if code:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
            said = f": {lines[-1][:200]}" if lines else ""
            raise DeliveryError(f"{route['command'][0]} ended with {code}{said}")


def _ended(process: subprocess.Popen[bytes], text: bytes, route: dict[str, Any]) -> int:
    try:
        process.communicate(text, timeout=route["timeout"])
    except subprocess.TimeoutExpired:
        raise DeliveryError(f"{route['command'][0]} took longer than {route['timeout']:g} seconds") from None
    finally:  # also after an interruption; what it started ends with it
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode
