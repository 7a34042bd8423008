"""Records the history of a small storm, for `golden/`: `python -m faults.record SEED KILLS FILE`.

To be run in `tests/`. What it records depends on the moment, too: take one that has everything that
`test_checker.py` breaks.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from faults.conversation import Manner
from faults.recorder import Recorder, judged
from faults.storm import Storm, model_server
from support.server import Server

ONE = Manner("default", git=False, transports=("sse", "socket"), messages=3, pieces=6)


async def record(seed: int, kills: int, file: Path) -> None:
    """One person, three messages, so many kills."""
    with TemporaryDirectory() as temporary, Recorder(file) as recorder:
        folder = Path(temporary)
        async with model_server(recorder, seed=seed, interval_s=0.02) as model_url:
            settings = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": model_url}
            with Server(folder, **settings) as server:
                storm = Storm(server, recorder, folder, seed=seed, manners=[ONE])
                url = f"sqlite:///{server.data_dir / 'homeport.db'}"
                await storm.rage(kills, database_url=url)
    print(file.stat().st_size, judged(file))


if __name__ == "__main__":
    asyncio.run(record(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
