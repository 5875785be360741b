"""Tables behind URLs, such as `s3://bucket/folder/*.parquet`, by fsspec."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from anomalo.plugin import ReadOptions, hookimpl

if TYPE_CHECKING:
    import pyarrow as pa

    from anomalo_remote.output import RemoteFile


@hookimpl
def anomalo_read(source: str, options: ReadOptions) -> "Iterator[pa.RecordBatch] | None":
    """Read a file, a folder or a pattern of files behind a URL."""
    if "://" not in source:
        return None
    from anomalo_remote.files import read_url

    return read_url(source, options)


@hookimpl
def anomalo_output(target: str) -> "RemoteFile | None":
    """Write a file behind a URL."""
    if "://" not in target:
        return None
    from anomalo_remote.output import RemoteFile

    return RemoteFile.parse(target)
