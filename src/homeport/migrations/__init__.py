"""The one history of the schema, the same on SQLite and PostgreSQL.

`is_current` asks without loading Alembic, so that a warm start pays nothing; `upgrade` loads it.
"""

from homeport.migrations.errors import SchemaUnknown
from homeport.migrations.history import HEAD, current, downgrade, is_current, upgrade

__all__ = ["HEAD", "SchemaUnknown", "current", "downgrade", "is_current", "upgrade"]
