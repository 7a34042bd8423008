"""Tells frame by frame what happens in a run."""

from __future__ import annotations

from typing import Any

from homeport.cli.demo.client import Frame
from homeport.cli.demo.screen import Screen


class Narrator:
    """Puts frames on the screen.

    Attributes:
        said: Characters shown of the block that is being spoken, since it began or since a pause.
    """

    def __init__(self, screen: Screen) -> None:
        self.said = 0
        self._screen = screen
        self._inputs: dict[str, dict[str, Any]] = {}
        self._speaking: tuple[str, int] | None = None

    def show(self, frame: Frame) -> None:
        """Shows what a reader should see of it; most facts are for the list at the end."""
        screen = self._screen
        match frame["kind"]:
            case "message.delta":
                self._speak(frame)
            case "tool.started":
                self._inputs[frame["call_id"]] = frame["input"]
            case "tool.finished":
                self._show_result(frame)
            case "approval.requested":
                question = f"may I?  {frame['summary']}"
                screen.line("asks", question, style="yellow", who_style="bold yellow")
            case "message.completed":
                screen.end()
            case "message.interrupted" | "turn.retried" | "checkpoint.failed":
                why = frame.get("detail") or frame.get("reason") or frame.get("code")
                screen.line("note", f"{frame['kind']}: {why}", style="yellow")
            case _:
                pass

    def pause(self) -> None:
        """What is said next begins on a line of its own, also in the middle of a block."""
        self._speaking = None

    def _speak(self, frame: Frame) -> None:
        kind = frame["type"]
        if kind == "tool_input":
            return
        address = (frame["message_id"], frame["block"])
        if address != self._speaking:
            thinks = kind == "thinking"
            self._screen.begin(
                "thinks" if thinks else "agent", style="dim italic" if thinks else ""
            )
            self._speaking, self.said = address, 0
        self._screen.say(frame["text"])
        self.said += len(frame["text"])

    def _show_result(self, frame: Frame) -> None:
        given = self._inputs.get(frame["call_id"], {})
        names = ("command", "file_path", "pattern")
        what = next((str(given[name]) for name in names if name in given), "")
        fine = frame["status"] == "completed"
        state = "" if fine else f"  {frame['status']}"
        took = "" if frame.get("duration_ms") is None else f"  {frame['duration_ms']} ms"
        style = "bold green" if fine else "bold red"
        self._screen.line(frame["tool"], f"{what}{state}{took}", who_style=style)
        diff = frame["details"].get("diff") if fine else None
        if diff:
            self._screen.diff(diff)
        else:
            self._screen.output(frame["content"])
