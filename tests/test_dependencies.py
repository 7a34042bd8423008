"""What is imported is declared, and what is declared is used."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
NOT_BY_IMPORT = {
    "flit-core": "builds the package that `make run` installs without the network",
    "python-multipart": "FastAPI reads forms with it",
}


def declared() -> tuple[set[str], set[str]]:
    """What every installation has, and what an extra adds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = [line for extra in project["optional-dependencies"].values() for line in extra]
    return _names(project["dependencies"]), _names(optional)


def _names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def imported() -> dict[str, str]:
    """Each top-level package that `src` imports from elsewhere, and one place where it does."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module]
            else:
                continue
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            found.update((module.partition(".")[0], place) for module in modules)
    ours = {"homeport", *sys.stdlib_module_names}
    return {name: place for name, place in found.items() if name not in ours}


def test_import_when_it_is_of_another_project_then_it_is_declared() -> None:
    owners = packages_distributions()
    always, optional = declared()
    undeclared = {
        name: place
        for name, place in imported().items()
        if not (always | optional) & {canonicalize_name(owner) for owner in owners.get(name, [])}
    }
    assert undeclared == {}


def test_dependency_when_it_is_declared_then_something_imports_it() -> None:
    owners = packages_distributions()
    used = {canonicalize_name(owner) for name in imported() for owner in owners.get(name, [])}
    assert declared()[0] - used == NOT_BY_IMPORT.keys()
