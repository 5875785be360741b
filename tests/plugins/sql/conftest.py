"""Databases to read and write: files of SQLite and DuckDB, and a PostgreSQL server of the tests' own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SECRET = "s3cret"


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


def _account() -> str | None:
    """Return whom the server runs as: it refuses to be root's."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), "root")


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a database on a new server, with a password; skipped where PostgreSQL is not installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    binaries, account = _binaries(), _account()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: no initdb")
    if account == "root":
        pytest.skip("there is no account that PostgreSQL could run as")
    folder = Path(tempfile.mkdtemp(prefix="anomalo-pg-"))
    port, data = _free_port(), str(folder / "data")
    (folder / "password").write_text(SECRET)
    if account:
        for path in (folder, folder / "password"):
            shutil.chown(path, account)

    def run(program: str, *arguments: str) -> None:
        command = [str(binaries / program), *arguments]
        subprocess.run(command, user=account, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=120)

    try:
        run("initdb", "-N", "-A", "scram-sha-256", "-U", "ann", "--pwfile", str(folder / "password"), "-D", data)
        options = f"-F -k {folder} -p {port} -c listen_addresses=127.0.0.1"
        run("pg_ctl", "-w", "-s", "-D", data, "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://ann:{SECRET}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-w", "-s", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "duckdb", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of each sort."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    if request.param == "duckdb":
        pytest.importorskip("duckdb_engine", reason="duckdb-engine is not installed")
    return f"{request.param}:///{tmp_path / 'data.db'}"
