"""Usernames that look the same count as one."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from homeport.identity.lookalikes import username_key
from homeport.identity.names import folded

revision = "0021_lookalike_names"
down_revision = "0020_invitations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _rewrite(username_key)


def downgrade() -> None:
    _rewrite(folded)


def _rewrite(key_of: Callable[[str], str]) -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, username, username_key FROM users"))
    keys = {user_id: (key, key_of(name)) for user_id, name, key in rows}
    taken = {key for key, _ in keys.values()}
    for user_id, (before, after) in keys.items():
        # Of two that look the same the one with the plain name keeps it; the other one signs in by
        # its address until it is called something else.
        if after == before or after in taken:
            continue
        connection.execute(
            sa.text("UPDATE users SET username_key = :key WHERE id = :id"),
            {"key": after, "id": user_id},
        )
        taken.add(after)
