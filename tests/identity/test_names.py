"""Names of accounts: none is made to be taken for somebody else's."""

from __future__ import annotations

import pytest

from homeport.identity.names import has_one_script, username_from
from identity.door import PASSWORD, Door

IMITATIONS = (
    "\u0430dmin",  # Cyrillic a
    "adm\u0456n",  # Ukrainian i
    "\u0391dmin",  # Greek Alpha
    "admin\u043e7",
    "\u13aadmin",  # Cherokee A
)
HONEST = (
    "admin",
    "J\u00fcrgen_9",
    "\u043e\u043b\u044c\u0433\u0430",  # Cyrillic throughout
    "\u03bd\u03af\u03ba\u03bf\u03c2",
    "\u5c71\u7530\u305f\u308d\u3046.x",  # Han, Hiragana and Latin
    "\ud64d\uae38\ub3d9-hong",
    "\u0645\u062d\u0645\u062f",
    "\uff41\uff44\uff41",  # full width is Latin
    "12",
)


async def test_register_when_a_name_mixes_scripts_then_refused(door: Door) -> None:
    ada = await door.register("ada")
    for name in IMITATIONS:
        body = {"email": "eve@example.com", "username": name, "password": PASSWORD}
        refused = await door.call("POST", "/v1/auth/register", json=body)
        assert refused.status == 422, name
        assert "of one script" in refused.json["error"]["message"]
        renamed = await door.call("PUT", "/v1/auth/me", token=ada.access, json={"username": name})
        assert renamed.status == 422


@pytest.mark.parametrize("name", HONEST)
def test_name_when_its_script_is_one_languages_then_taken(name: str) -> None:
    assert has_one_script(name)


@pytest.mark.parametrize("name", IMITATIONS)
def test_name_when_made_of_an_address_then_it_imitates_nobody(name: str) -> None:
    assert username_from(f"{name}@example.com") == "user"
