"""`anomalo dashboard`: serve the dashboard on this machine until it is stopped."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import pkgutil
import secrets
import socket
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread, Timer
from typing import Annotated

import typer

from anomalo.errors import AnomaloError, UsageError
from anomalo_dashboard.security import bounds, named
from anomalo_dashboard.security.access import App, Gate
from anomalo_dashboard.security.files import ALLOWED
from anomalo_dashboard.security.signed_in import HEADER, require_header

ADDRESS = "127.0.0.1"
HERE = Path(__file__).parent
SCRIPTS = ("anomalo_dashboard.app", "anomalo_dashboard.views")
"""What Streamlit runs, and is not imported."""
UPLOAD = 500
"""Megabytes that can be uploaded at once; a larger file is given by its path."""


AllowOption = Annotated[
    list[Path],
    typer.Option(
        "--allow",
        metavar="DIR",
        help="A folder whose files can be opened by their path, besides those of the workspace; can be repeated.",
    ),
]
AllowSourceOption = Annotated[
    list[str],
    typer.Option(
        "--allow-source",
        metavar="NAME=URL",
        help="A database table or a URL that can be chosen by this name; can be repeated.",
    ),
]
AllowHostOption = Annotated[
    list[str],
    typer.Option(
        "--allow-host",
        metavar="NAME",
        help="A name by which others call the dashboard, such as that of a reverse proxy; can be repeated.",
    ),
]
UserHeaderOption = Annotated[
    str | None,
    typer.Option(
        "--user-header",
        metavar="NAME",
        help="The header in which a proxy that signs people in names them; without it a change is refused.",
    ),
]
UnpackedOption = Annotated[
    str,
    typer.Option(
        "--max-unpacked",
        metavar="SIZE",
        help="The most that a packed table may hold, such as 500MB; others are refused.",
    ),
]


def dashboard(
    workspace: Annotated[
        Path,
        typer.Option(
            "--workspace", metavar="DIR", envvar="ANOMALO_WORKSPACE", help="Folder with the saved models and runs."
        ),
    ] = Path("anomalo-workspace"),
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Where to listen; 0 takes a free port.")
    ] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser window.")] = False,
    allow: AllowOption = [],  # noqa: B006
    allow_source: AllowSourceOption = [],  # noqa: B006
    allow_host: AllowHostOption = [],  # noqa: B006
    user_header: UserHeaderOption = None,
    max_unpacked: UnpackedOption = bounds.DEFAULT,
    no_token: Annotated[
        bool,
        typer.Option(
            "--no-token", help="Let everybody in who reaches the port: each user and each program of this machine."
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Look at runs, alerts and repairs in a browser."""
    if importlib.util.find_spec("streamlit") is None:
        raise AnomaloError(
            "the dashboard needs streamlit, which is not installed; install it with the extra `dashboard`: "
            "pip install 'anomalo-engine[dashboard]'"
        )
    if workspace.exists() and not workspace.is_dir():
        raise UsageError(f"--workspace {workspace}: it is a file; give a folder")
    missing = next((folder for folder in allow if not folder.is_dir()), None)
    if missing is not None:
        raise UsageError(f"--allow {missing}: it is no folder; give one whose files can be opened")
    urls, most, chosen = named.parsed(allow_source), bounds.size(max_unpacked), _free(port)
    os.environ["ANOMALO_WORKSPACE"] = str(workspace.absolute())
    os.environ[ALLOWED] = os.pathsep.join(str(folder.absolute()) for folder in allow)
    os.environ[named.NAMED] = json.dumps(urls)
    os.environ[bounds.MOST] = str(most)
    os.environ[HEADER] = require_header(user_header) if user_header else ""
    token = None if no_token else secrets.token_urlsafe(32)
    url = f"http://{ADDRESS}:{chosen}/{'' if token is None else f'?token={token}'}"
    typer.echo(f"the dashboard is at {url} (workspace {workspace}); stop it with Ctrl-C")
    if token is None:
        typer.echo(
            "warning: without a token every user and every program of this machine can read the workspace and the "
            "folders given by --allow, and start jobs",
            err=True,
        )
    if browser:
        Timer(1.5, webbrowser.open, [url]).start()
    _serve(chosen, debug, partial(Gate, token=token, cookie=f"anomalo-{chosen}", hosts=allow_host))


def _free(port: int) -> int:
    """Return `port`, or a free one for 0, if nobody listens there."""
    with socket.socket() as probe:
        # As the server does it, so that a port of a server that just ended can be taken again.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(
                f"cannot listen on port {port} of {ADDRESS}: {reason}; give another one, such as --port 0"
            ) from error
        return int(probe.getsockname()[1])


def _load_ahead() -> None:
    """Load what the pages need once the server runs, so that who opens the first one does not wait for it."""
    from streamlit import runtime

    import anomalo_dashboard

    while not runtime.exists():
        time.sleep(0.05)
    for module in pkgutil.walk_packages(anomalo_dashboard.__path__, "anomalo_dashboard."):
        if not module.name.startswith(SCRIPTS):
            importlib.import_module(module.name)
    importlib.import_module("altair")  # Streamlit does so when it draws the first chart


def _serve(port: int, debug: bool, gate: Callable[[App], App]) -> None:
    """Run the server in this process; Ctrl-C and SIGTERM end it."""
    import streamlit as st
    from starlette.middleware import Middleware

    options = {
        "server.address": ADDRESS,
        "server.port": port,
        "server.headless": True,
        "server.maxUploadSize": UPLOAD,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        "browser.serverAddress": ADDRESS,
        "client.showErrorDetails": "full" if debug else "none",
        "client.toolbarMode": "minimal",
        "global.developmentMode": False,
        "logger.hideWelcomeMessage": True,
        "logger.level": "info" if debug else "error",
        "runner.magicEnabled": False,
        "theme.base": str(HERE / "theme.toml"),
    }
    Thread(target=_load_ahead, daemon=True).start()
    with suppress(KeyboardInterrupt):  # the server has ended by then, and raises the signal that ended it once more
        st.App(HERE / "app.py", middleware=[Middleware(gate)]).run(config=options)
