from __future__ import annotations

from itertools import product
from typing import Any, Literal

import pytest
from sqlalchemy import func, select

from homeport.eventlog import EventLog
from homeport.kernel.db import Database
from homeport.tools import grants
from homeport.tools.approval import digest
from homeport.tools.builtin import Bash, Read, Write
from homeport.tools.errors import ScopeNotAllowed
from homeport.tools.models import ToolGrantRow
from homeport.tools.port import ToolSpec

Scope = Literal["run", "always"]
MAKE: dict[str, Any] = {"command": "make test"}
A_FILE: dict[str, Any] = {"file_path": "a", "content": "x"}


def bound(spec: ToolSpec, arguments: dict[str, Any]) -> str:
    return digest(spec.name, arguments, cwd="/w", network="none", project_id="p1")


class Grants:
    """What a test asks of the grants of one database."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def give(
        self, scope: Scope, spec: ToolSpec, arguments: dict[str, Any], *, run_id: str = "r1"
    ) -> None:
        async with self._log.unit("session:s1") as unit:
            await grants.grant(
                unit,
                scope=scope,
                project_id="p1",
                user_id="u1",
                run_id=run_id,
                spec=spec,
                digest=bound(spec, arguments),
                arguments=arguments,
            )

    async def covers(
        self,
        spec: ToolSpec,
        arguments: dict[str, Any],
        *,
        project_id: str = "p1",
        user_id: str = "u1",
        run_id: str = "r1",
    ) -> bool:
        async with self._log.database.read() as session:
            return await grants.granted(
                session,
                project_id=project_id,
                user_id=user_id,
                run_id=run_id,
                spec=spec,
                digest=bound(spec, arguments),
            )

    async def count(self) -> int:
        async with self._log.database.read() as session:
            return await session.scalar(select(func.count()).select_from(ToolGrantRow)) or 0


@pytest.fixture
def given(log: EventLog) -> Grants:
    return Grants(log)


async def test_granted_when_nothing_was_given_then_nothing_is_covered(given: Grants) -> None:
    assert not await given.covers(Bash.spec, MAKE)
    assert not await given.covers(Write.spec, A_FILE)


async def test_grant_when_a_command_is_approved_for_a_run_then_only_it_and_only_there(
    given: Grants,
) -> None:
    await given.give("run", Bash.spec, MAKE)

    assert await given.covers(Bash.spec, MAKE)
    assert await given.covers(Bash.spec, {**MAKE, "description": "again"})
    assert not await given.covers(Bash.spec, {"command": "make test; rm -rf ."})
    assert not await given.covers(Bash.spec, {"command": "make tes"})
    assert not await given.covers(Bash.spec, {**MAKE, "timeout": 600})
    assert not await given.covers(Bash.spec, MAKE, run_id="r2")


async def test_grant_when_a_write_is_approved_for_a_run_then_all_writes_of_it_are_covered(
    given: Grants,
) -> None:
    await given.give("run", Write.spec, A_FILE)

    other = {"file_path": "b", "content": "y"}
    assert await given.covers(Write.spec, other)
    assert not await given.covers(Write.spec, other, run_id="r2")
    assert not await given.covers(ToolSpec("Edit", "", {}, "write"), other)
    assert not await given.covers(Bash.spec, MAKE)
    assert not await given.covers(Read.spec, {"file_path": "a"})


async def test_grant_when_a_tool_executes_then_no_grant_covers_it_as_a_whole(
    given: Grants,
) -> None:
    await given.give("run", ToolSpec("Bash", "", {}, "write"), MAKE)
    assert not await given.covers(Bash.spec, MAKE)


async def test_grant_when_given_for_always_then_later_runs_of_that_person_are_covered(
    given: Grants,
) -> None:
    await given.give("always", Bash.spec, MAKE)

    for project_id, user_id, run_id in product(("p1", "p2"), ("u1", "u2"), ("r1", "r2")):
        covered = await given.covers(
            Bash.spec, MAKE, project_id=project_id, user_id=user_id, run_id=run_id
        )
        assert covered == (project_id == "p1" and user_id == "u1")


@pytest.mark.parametrize(
    ("spec", "arguments"),
    [
        (Bash.spec, {"command": "bash -c ls"}),
        (Bash.spec, {"command": "make; ls"}),
        (Write.spec, A_FILE),
    ],
)
async def test_grant_when_always_is_not_allowed_then_nothing_is_kept(
    given: Grants, spec: ToolSpec, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ScopeNotAllowed):
        await given.give("always", spec, arguments)
    assert await given.count() == 0


@pytest.mark.parametrize("scope", ["run", "always"])
async def test_grant_when_given_twice_then_it_is_kept_once(given: Grants, scope: Scope) -> None:
    await given.give(scope, Bash.spec, MAKE)
    await given.give(scope, Bash.spec, MAKE)
    assert await given.count() == 1


async def test_end_run_when_the_run_is_over_then_only_its_grants_go(
    given: Grants, database: Database
) -> None:
    await given.give("run", Bash.spec, MAKE)
    await given.give("run", Bash.spec, MAKE, run_id="r2")
    await given.give("always", Bash.spec, {"command": "make lint"})

    async with database.write() as session:
        await grants.end_run(session, run_id="r1")

    assert not await given.covers(Bash.spec, MAKE)
    assert await given.covers(Bash.spec, MAKE, run_id="r2")
    assert await given.covers(Bash.spec, {"command": "make lint"})
