"""The database: one engine to read, one way to write, types that both databases agree on."""

from homeport.kernel.db.base import JSONDocument, Model, UTCDateTime, now_ms, table_of
from homeport.kernel.db.engine import Database, ReadSession, WriteSession
from homeport.kernel.db.sealed import SealedColumn

__all__ = [
    "Database",
    "JSONDocument",
    "Model",
    "ReadSession",
    "SealedColumn",
    "UTCDateTime",
    "WriteSession",
    "now_ms",
    "table_of",
]
