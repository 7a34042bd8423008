"""Alembic's entry: runs the history on the connection that `runner` hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from homeport.kernel.db import Model

connection: Connection | None = context.config.attributes.get("connection")
if connection is None:
    message = "run migrations with `homeport migrate`, or `make revision`"
    raise RuntimeError(message)

context.configure(
    connection=connection,
    target_metadata=Model.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
context.run_migrations()
