from __future__ import annotations

from pathlib import Path

import pytest

from homeport.sandbox import toolchains


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home" / "dev"


def find(entries: list[Path], home: Path, secrets: Path | None = None) -> toolchains.Toolchains:
    for entry in entries:
        entry.mkdir(parents=True, exist_ok=True)
    return toolchains.find([str(e) for e in entries], home=home, secrets=secrets or home / "data")


def test_path_when_it_names_an_installation_then_all_of_it_is_readable(home: Path) -> None:
    found = find([home / ".pyenv" / "shims", home / ".nvm" / "versions" / "v20" / "bin"], home)
    assert found.directories == (home / ".nvm", home / ".pyenv")


def test_path_when_it_names_the_home_directorys_bin_then_only_that_is_readable(home: Path) -> None:
    (home / ".ssh").mkdir(parents=True)
    found = find([home / "bin", home / ".local" / "bin"], home)
    assert found.directories == (home / ".local" / "bin", home / "bin")


def test_path_when_cargo_is_on_it_then_its_credentials_stay_closed(home: Path) -> None:
    (home / ".rustup").mkdir(parents=True)
    found = find([home / ".cargo" / "bin"], home)
    assert found.directories == (home / ".cargo" / "bin", home / ".rustup")
    assert found.variables == (("RUSTUP_HOME", str(home / ".rustup")),)


@pytest.mark.parametrize("where", [".", "..", "../.."])
def test_path_when_it_holds_the_home_directory_then_it_is_not_opened(
    home: Path, where: str
) -> None:
    home.mkdir(parents=True)
    found = find([(home / where).resolve()], home)
    assert found.directories == ()
    assert str((home / where).resolve()) not in found.path.split(":")


def test_path_when_it_links_to_the_home_directory_then_it_is_not_opened(home: Path) -> None:
    home.mkdir(parents=True)
    link = home.parent / "tools"
    link.symlink_to(home)
    assert find([link], home).directories == ()


def test_path_when_an_entry_holds_the_servers_data_then_it_stays_closed(
    home: Path, tmp_path: Path
) -> None:
    secrets = tmp_path / "opt" / "homeport" / "data"
    secrets.mkdir(parents=True)
    found = find([tmp_path / "opt" / "homeport" / "bin", secrets / "bin"], home, secrets)
    assert found.directories == ()


def test_path_when_entries_are_relative_or_absent_then_they_are_left_out(home: Path) -> None:
    found = toolchains.find(
        [".", "", "bin", "/no/such", "/usr/bin"], home=home, secrets=home / "data"
    )
    assert found.path == "/usr/bin"


def test_path_when_nothing_is_left_then_the_systems_is_taken(home: Path) -> None:
    found = toolchains.find([], home=home, secrets=home / "data")
    assert "/usr/bin" in found.path.split(":")
