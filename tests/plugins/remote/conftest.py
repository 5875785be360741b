"""A few tables behind URLs, in memory and on a server that speaks S3."""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

BUCKET = "visits"


def parquet(**columns: list[Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


FILES = {
    "one.csv": b"name;weight\nAnn;70,5\nBob;80,25\n",
    "year=2023/b.parquet": parquet(x=[3, 4]),
    "year=2023/a.parquet": parquet(x=[1, 2]),
    "year=2024/a.parquet": parquet(x=[5.5]),
    "_SUCCESS": b"",
}


@pytest.fixture
def memory() -> Iterator[str]:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    filesystem = fsspec.filesystem("memory")
    for name, content in FILES.items():
        filesystem.pipe(f"/{BUCKET}/{name}", content)
    yield f"memory://{BUCKET}"
    filesystem.rm(f"/{BUCKET}", recursive=True)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    pytest.importorskip("flask_cors", reason="moto's server is not installed")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    import s3fs

    for name, value in (
        ("AWS_ENDPOINT_URL", server),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    filesystem = s3fs.S3FileSystem()
    filesystem.makedirs(BUCKET, exist_ok=True)
    for left in filesystem.find(BUCKET):
        filesystem.rm(left)
    for name, content in FILES.items():
        filesystem.pipe(f"{BUCKET}/{name}", content)
    return f"s3://{BUCKET}"


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.slow)])
def root(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))
