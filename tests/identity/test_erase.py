"""What the erasure of an account takes away of the rows that name it."""

from __future__ import annotations

import importlib
import pkgutil

import homeport
from homeport.identity.models import User
from homeport.identity.service.erase import PROOFS
from homeport.kernel.db import Model

EXCUSED = {
    "projects": "each is erased as a stream of its own",
    "project_members": "closed by the room of projects, with an event",
}


def test_tables_when_they_name_an_account_then_its_erasure_empties_them_or_says_why_not() -> None:
    for module in pkgutil.walk_packages(homeport.__path__, "homeport."):
        if module.name.endswith("models"):
            importlib.import_module(module.name)
    naming = {
        table.name
        for table in Model.metadata.tables.values()
        for key in table.foreign_keys
        if key.references(User.metadata.tables["users"])
    }
    emptied = {table.__tablename__ for table in PROOFS}
    assert naming == emptied | set(EXCUSED)
    assert not emptied & set(EXCUSED)
