"""What can be wrong with a schema."""

from __future__ import annotations

from homeport.kernel.errors import Unavailable


class SchemaUnknown(Unavailable):
    """The database carries a revision that this version of Homeport does not know."""

    code = "storage.schema-unknown"
    title = "The database was written by another version of Homeport"
