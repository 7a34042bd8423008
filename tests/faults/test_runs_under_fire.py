"""Runs while their server is killed: nothing acknowledged is lost, no tool call is made twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faults.conftest import Tell
from faults.recorder import Recorder, judged
from faults.rounds import rounds
from faults.storm import POINTS, Storm, model_server
from support.server import MakeServer


async def under_fire(
    make_server: MakeServer, database_url: str, folder: Path, *, kills: int, seed: int
) -> dict[str, Any]:
    """What the history of a storm has seen; the checker has found nothing wrong in it."""
    path = folder / "history.jsonl"
    with Recorder(path) as recorder:
        async with model_server(recorder, seed=seed) as model_url:
            server = make_server(
                ANTHROPIC_API_KEY="sk-test",
                ANTHROPIC_BASE_URL=model_url,
                ALLOW_BYPASS="true",
                DATABASE_URL=database_url,
                NODE_ID="n1",
                RUN_MAX_TOKENS="1000000000",
            )
            storm = Storm(server, recorder, folder, seed=seed)
            await storm.rage(kills, database_url=database_url)
    return judged(path)


@pytest.mark.timeout(900)
@pytest.mark.requirement("F1", "F2", "F19")
async def test_runs_when_the_server_is_killed_ten_times_then_nothing_is_lost_or_done_twice(
    make_server: MakeServer, database_url: str, tmp_path: Path, dialect: str, tell: Tell
) -> None:
    kills = 10 if dialect == "sqlite" else 3  # each takes a start; `make faults` has more of both
    seen = await under_fire(make_server, database_url, tmp_path, kills=kills, seed=20_261)
    tell(seen)
    assert seen["kills"] >= kills
    assert seen["taken_over"] > 0


@pytest.mark.faults
@pytest.mark.timeout(7_200)
@pytest.mark.requirement("F1", "F2", "F19")
async def test_runs_when_the_server_is_killed_again_and_again_then_nothing_is_lost_or_done_twice(
    make_server: MakeServer, database_url: str, tmp_path: Path, tell: Tell
) -> None:
    kills = rounds()
    seen = await under_fire(make_server, database_url, tmp_path, kills=kills, seed=1_871)
    tell(seen)
    assert len(seen["kills_at"]) == min(kills, len(POINTS))
    for name in ("taken_over", "effects", "answers_lost", "messages_cut"):
        assert seen[name], f"{name}: a fault that never struck proves nothing"
