"""`homeport openapi`: the contract, the same bytes for the same code."""

from __future__ import annotations

import json

from homeport.app import create_app
from homeport.settings import Settings


def contract() -> str:
    """The OpenAPI document as it is kept in docs/openapi.json."""
    app = create_app(Settings.model_construct())
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"
