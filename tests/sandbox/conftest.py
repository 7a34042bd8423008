from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from homeport.sandbox import Sandbox, toolchains
from homeport.sandbox.layout import Places
from support.boxes import BOXES, ENGINES, MACHINE, make


@pytest.fixture
def places(tmp_path: Path) -> Places:
    secrets = tmp_path / "data"
    secrets.mkdir(mode=0o700)
    (secrets / "secret.key").write_text("the-server-key")
    found = toolchains.find(list(MACHINE.path), home=MACHINE.home, secrets=secrets)
    return Places(found, secrets)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A git repository at a path with a space and letters beyond ASCII."""
    place = tmp_path / "my wörk 船"
    place.mkdir()
    subprocess.run(["git", "init", "-q", str(place)], check=True)
    return place


@pytest.fixture(params=ENGINES)
def full(request: pytest.FixtureRequest, places: Places) -> Sandbox:
    return make(request.param, places)


@pytest.fixture(params=BOXES)
def box(request: pytest.FixtureRequest, places: Places) -> Sandbox:
    return make(request.param, places)


@pytest.fixture(params=[*BOXES, "none"])
def anything(request: pytest.FixtureRequest, places: Places) -> Sandbox:
    return make(request.param, places)


@pytest.fixture
def landlock(places: Places) -> Sandbox:
    if not MACHINE.landlock:
        pytest.skip("this kernel has no Landlock")
    return make("landlock", places)
