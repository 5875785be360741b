"""Addresses of tables and queries: the URL of a database, `::`, and a name or a query."""

from __future__ import annotations

import re
from dataclasses import dataclass

from anomalo.errors import SourceError, without_passwords

_SCHEME = re.compile(r"[A-Za-z][\w+.-]*://")
# A pair of colons in brackets belongs to the address of a host.
_ADDRESS = re.compile(r"(?P<url>[A-Za-z][\w+]*://(?:\[[^\]]*\]|(?!::).)*?)::(?P<what>.*)", re.DOTALL)
_QUERY = re.compile(r"\(|(select|with|values|table|from|show|describe|pragma|explain|call|exec)\b[\s(*]", re.IGNORECASE)
_DATABASES = ("postgresql", "postgres", "sqlite", "duckdb", "mysql", "mariadb", "oracle", "mssql")
_LONGEST = 120


@dataclass(frozen=True)
class SqlAddress:
    """A table or a query in a database.

    Attributes
    ----------
    url : str
        The database's URL as SQLAlchemy takes it, perhaps with a password.
    what : str
        The name of a table, or a query.
    """

    url: str
    what: str

    @classmethod
    def parse(cls, text: str) -> SqlAddress | None:
        """Return the address in a text; None if it is not one of a database.

        Examples
        --------
        >>> SqlAddress.parse("sqlite:///a.db::select 1::text").what, SqlAddress.parse("zip://a.csv::s3://b/a.zip")
        ('select 1::text', None)

        Raises
        ------
        SourceError
            It is the URL of a database, and names no table.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None or _SCHEME.match(match["what"]):
            scheme = text.partition("://")[0].partition("+")[0].lower() if "://" in text else ""
            if scheme in _DATABASES:
                raise SourceError(f"{without_passwords(text)}: add :: and the name of a table, or a query")
            return None
        what = match["what"].strip().rstrip(";").rstrip()
        if not what:
            raise SourceError(f"{without_passwords(text)}: give the name of a table, or a query, after ::")
        return cls(match["url"], what)

    @property
    def is_query(self) -> bool:
        """Whether it is a query rather than the name of a table: it begins with a word such as `select`.

        Examples
        --------
        >>> [SqlAddress("", what).is_query for what in ("select * from t", "selected", "drop table t")]
        [True, False, False]
        """
        return _QUERY.match(self.what) is not None

    def __str__(self) -> str:
        """Return what messages call it: without its password, on one line."""
        text = " ".join(without_passwords(f"{self.url}::{self.what}").split())
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
