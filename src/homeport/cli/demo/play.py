"""The play: a question, an answer that is cut and resumed, a yes, a repair, and its undo."""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console

from homeport.cli.demo.client import Client, Frame, signed_in
from homeport.cli.demo.narrator import Narrator
from homeport.cli.demo.picture import draw
from homeport.cli.demo.record import Record
from homeport.cli.demo.screen import WIDTH, Screen, event_lines
from homeport.cli.demo.stage import FILES, DemoFailed, Stage, set_stage
from homeport.providers.demo.provider import DEMO_MODEL
from homeport.sandbox.port import Rung
from homeport.settings import Settings

QUESTION = "fix the failing test"
SLOWER = 3  # than the transcripts' own pace: somebody reads along
CUT_BEHIND = 40  # characters of an answer
USAGE = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost_usd",
)
ROUNDS = 50  # questions that are answered before the demo gives up on a model that keeps asking
NO_BOX = "There is no sandbox on this machine: not without a person at the keyboard."


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller wants.

    Attributes:
        model: The model that is to play; the demo model by default.
        pace: Multiplies every pause; 0 plays as fast as it can.
        keep: Leaves the repository and the server's data for a look.
        picture: Where the picture is to be written.
    """

    model: str = DEMO_MODEL
    pace: float = 1.0
    keep: bool = False
    picture: Path | None = None

    @property
    def is_real(self) -> bool:
        """Whether the model costs money."""
        return self.model != DEMO_MODEL


def run_demo(settings: Settings, options: Options, *, quiet: bool) -> dict[str, Any]:
    """Plays the demo from the first line to the last.

    Args:
        settings: The machine's; see `set_stage`.
        options: What the caller wants.
        quiet: Shows nothing; the answer tells.

    Returns:
        What was seen, as JSON: `model sandbox session_id status cut_at approvals events blocks
        usage undone seconds`, and `folder` when it was kept.

    Raises:
        DemoFailed: Something that the demo promises did not happen.
    """
    if options.picture is not None:
        _try_to_write(options.picture)
    console = Console(quiet=quiet, record=options.picture is not None)
    console.width = WIDTH if options.picture is not None else min(console.width, WIDTH)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    return _play(console, settings, options)


def _try_to_write(path: Path) -> None:
    """Finds out before the minute has gone by."""
    try:
        path.open("ab").close()
    except OSError as error:
        raise DemoFailed(f"The picture cannot be written to {path}: {error.strerror}.") from error


def _leave(number: int, _: FrameType | None) -> NoReturn:
    """Unwinds, so that the server ends and the folder goes."""
    raise SystemExit(128 + number)


def _play(console: Console, settings: Settings, options: Options) -> dict[str, Any]:
    if options.is_real and settings.anthropic_api_key is None:
        raise DemoFailed(
            f"{options.model} needs ANTHROPIC_API_KEY; without --model none is needed."
        )
    screen = Screen(console)
    screen.title("Homeport: the main job in a minute")
    starting = console.status("Starting a server of its own …")
    starting.start()
    with set_stage(
        settings, pace=SLOWER * options.pace, model_key=options.is_real, keep=options.keep
    ) as stage:
        starting.stop()
        report = asyncio.run(_perform(screen, stage, options))
        if options.keep:
            report["folder"] = str(stage.folder)
            screen.line("kept", str(stage.folder))
    if options.picture is not None:
        draw(console, options.picture)
    return report


async def _perform(screen: Screen, stage: Stage, options: Options) -> dict[str, Any]:
    async with signed_in(stage.address) as client:
        return await Play(screen, stage, client, options).perform()


class Play:
    """One performance."""

    def __init__(self, screen: Screen, stage: Stage, client: Client, options: Options) -> None:
        self._screen = screen
        self._stage = stage
        self._client = client
        self._options = options
        self._record = Record()
        self._rung = Rung.UNAVAILABLE
        self._narrator = Narrator(screen)
        self._approved = 0
        self._cut_at: str | None = None
        self._began = monotonic()

    async def perform(self) -> dict[str, Any]:
        """All chapters; see `play`."""
        await self._show_ground()
        await self._show_repository()
        session_id = await self._ask()
        await self._follow(session_id)
        undone = await self._undo(session_id)
        return await self._conclude(session_id, undone)

    async def _show_ground(self) -> None:
        components = (await self._client.get("/readyz"))["components"]
        box = components["sandbox"]["detail"]
        self._rung = Rung(box["rung"])
        stage, screen = self._stage, self._screen
        screen.line("server", f"{stage.address}, process {stage.pid}, on an empty database")
        nature = (
            "Claude" if self._options.is_real else "plays a transcript; the tools work for real"
        )
        screen.line("model", f"{self._options.model}: {nature}")
        if self._rung is Rung.UNAVAILABLE:
            screen.line("sandbox", "none holds here: commands are refused", style="yellow")
            if box["remedy"]:
                screen.line("remedy", box["remedy"])
        else:
            held = ", ".join(hold.partition(":")[0] for hold in box["holds"] if ":" in hold)
            screen.line(
                "sandbox", f"{self._rung}, tried out just now: {held or 'nothing'} confined"
            )
        await self._beat(1.5)

    async def _show_repository(self) -> None:
        self._screen.chapter("1  A git repository with a failing test")
        log = self._stage.git("log", "--oneline").strip()
        self._screen.line("commit", log)
        names = [name for name in FILES if not name.startswith(".")]
        self._screen.line("files", ", ".join(names))
        await self._beat(1.0)

    async def _ask(self) -> str:
        """Opens the repository as a project and says what is wanted."""
        self._screen.chapter("2  The agent at work")
        client = self._client
        place = {"name": "calculator", "path": str(self._stage.repository)}
        project = await client.post("/v1/projects", place)
        session: dict[str, Any] = {"project_id": project["id"], "model": self._options.model}
        if self._rung is Rung.UNAVAILABLE:
            # Somebody is to be asked also where no command can be.
            session["permission_mode"] = "default"
        session_id: str = (await client.post("/v1/sessions", session))["id"]
        self._screen.line("you", QUESTION, style="bold")
        await client.post(f"/v1/sessions/{session_id}/messages", {"content": QUESTION})
        return session_id

    async def _follow(self, session_id: str) -> None:
        """Reads the session to the end of its run, over as many lines as it takes."""
        while not self._record.of_kind("run.finished"):
            frames = self._client.frames(session_id, after=self._record.cursor)
            async with aclosing(frames):
                async for frame in frames:
                    self._record.take(frame)
                    self._narrator.show(frame)
                    if frame["kind"] == "approval.requested":
                        await self._answer(frame)
                    if frame["kind"] == "run.finished" or self._is_place_to_cut(frame):
                        break
            if not self._record.of_kind("run.finished"):
                await self._stay_away()

    async def _answer(self, frame: Frame) -> None:
        """Says yes as a person would on their phone; no where a real model would be unconfined."""
        screen = self._screen
        await self._beat(2.0)
        unconfined = self._options.is_real and self._rung is Rung.NONE and frame["tool"] == "Bash"
        self._approved += 1
        if unconfined or self._approved > ROUNDS:
            answer = {"decision": "deny", "note": NO_BOX}
            screen.line("you", f"no. {NO_BOX}", style="red")
        else:
            answer = {"decision": "approve", "scope": "run"}
            screen.line("you", "yes, in this run", style="green")
        await self._client.post(f"/v1/approvals/{frame['approval_id']}", answer)

    def _is_place_to_cut(self, frame: Frame) -> bool:
        """In the middle of what the agent says after it was answered; once."""
        return (
            self._cut_at is None
            and self._approved > 0
            and frame["kind"] == "message.delta"
            and frame["type"] == "text"
            and self._narrator.said >= CUT_BEHIND
        )

    async def _stay_away(self) -> None:
        self._cut_at = self._record.cursor
        screen = self._screen
        screen.line("✂", f"the line is cut at {self._cut_at}", style="red", who_style="bold red")
        await self._beat(2.0)
        back = f"back, with Last-Event-ID: {self._cut_at}"
        screen.line("↻", back, style="green", who_style="bold green")
        self._narrator.pause()

    async def _undo(self, session_id: str) -> list[str]:
        """Takes the repair back; the log keeps that too."""
        run_id = self._record.of_kind("run.queued")[0]["run_id"]
        self._screen.chapter("3  Undo")
        await self._beat(1.0)
        if not self._record.of_kind("checkpoint.created"):
            self._screen.line("note", "there is no checkpoint to go back to", style="yellow")
            return []
        answer = await self._client.post(f"/v1/runs/{run_id}/undo")
        put_back = [*answer["restored"], *answer["removed"]]
        state = self._stage.git("status", "--porcelain").strip() or "clean"
        self._screen.line("you", "take it back", style="bold")
        self._screen.line("undone", f"{', '.join(put_back) or 'nothing'}; git status: {state}")
        await self._read(session_id, self._record)
        await self._beat(1.0)
        return put_back

    async def _read(self, session_id: str, record: Record) -> None:
        """Brings `record` to the end of the log, without a stream."""
        path = f"/v1/sessions/{session_id}/events?limit=1000&after="
        while frames := (await self._client.get(path + record.cursor))["events"]:
            for frame in frames:
                record.take(frame)

    async def _conclude(self, session_id: str, undone: list[str]) -> dict[str, Any]:
        """The bill, the log, and the proof that it is what was shown."""
        record, unbroken = self._record, Record()
        await self._read(session_id, unbroken)
        finished = record.of_kind("run.finished")[0]
        report = {
            "model": self._options.model,
            "sandbox": self._rung.value,
            "session_id": session_id,
            "status": finished["status"],
            "cut_at": self._cut_at,
            "approvals": len(record.of_kind("approval.approved")),
            "events": [event["kind"] for event in record.events],
            "blocks": record.blocks,
            "usage": {name: finished[name] for name in USAGE},
            "undone": undone,
            "seconds": round(monotonic() - self._began, 1),
        }
        differences = record.differences(unbroken)
        self._show_end(report, differences)
        if finished["status"] != "completed":
            raise DemoFailed(f"The run ended {finished['status']}: {finished['reason']}.")
        if differences:
            raise DemoFailed("; ".join(differences))
        return report

    def _show_end(self, report: dict[str, Any], differences: list[str]) -> None:
        screen, usage = self._screen, report["usage"]
        screen.chapter("4  What is kept")
        *tokens, cost = USAGE
        counts = ", ".join(f"{usage[name]:,} {name[:-7].replace('_', ' ')}" for name in tokens)
        screen.line("tokens", counts)
        screen.line("cost", f"${usage[cost]:.4f}, {report['seconds']} s with all pauses")
        screen.columns("events", event_lines(report["events"]))
        if differences:
            screen.line("record", "; ".join(differences), style="bold red")
        else:
            same = f"all {len(report['events'])} events and {report['blocks']} blocks of text are"
            proof = f"{same} those of a reading without a cut"
            screen.line("record", proof, style="green", who_style="bold green")
        if self._rung is Rung.UNAVAILABLE:
            refused = "Commands were refused, so nobody has run the tests."
            screen.line("note", refused, style="yellow")
        screen.line("next", "homeport serve, and a project of your own")

    async def _beat(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._options.pace)
