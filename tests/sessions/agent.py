"""An agent without a model: it writes what a run writes, by a plan, and obeys its lease."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from homeport.dispatch import Claim, LeaseLost, queue
from homeport.dispatch.lease import fenced
from homeport.eventlog import EventLog, Unit
from homeport.eventlog.catalogue.message import MessageCompleted, MessageStarted
from homeport.eventlog.catalogue.tool import ToolFinished, ToolStarted
from homeport.kernel.ids import new_id
from homeport.sessions.models import SessionRow
from homeport.sessions.service import journal
from homeport.sessions.service.conclude import end_record, fold, interrupt_message

Plan = Callable[["Agent", Claim], Awaitable[None]]


async def answer(agent: Agent, claim: Claim) -> None:
    """Says one sentence and ends."""
    await agent.speak(claim, [{"type": "text", "text": "Aye."}])
    await agent.finish(claim)


async def hang(agent: Agent, claim: Claim) -> None:
    """Works until somebody ends it."""
    await asyncio.Event().wait()


async def ask(agent: Agent, claim: Claim) -> None:
    """Asks people about one command, waits, and then makes the call."""
    if claim.epoch > 1:
        await agent.use_tool(claim, "call_1", "ok")
        await agent.finish(claim)
        return
    blocks = [
        {"type": "text", "text": "I shall look. "},
        {"type": "tool_use", "id": "call_1", "name": "Bash", "text": '{"command":"ls"}'},
    ]
    await agent.speak(claim, blocks)
    async with fenced(agent.log, claim) as unit:
        row = await unit.session.get_one(SessionRow, claim.session_id)
        agent.asked.append(
            await journal.request_approval(
                unit,
                row,
                run_id=claim.run_id,
                turn=1,
                call_id="call_1",
                tool="Bash",
                arguments={"command": agent.command},
                summary=f"Bash: {agent.command}",
                digest="d" * 64,
                network="none",
                ttl_s=agent.approval_ttl,
            )
        )
        await queue.pause(unit, claim)


class Agent:
    """Drives runs by the plan of their session.

    Attributes:
        asked: The approvals that it has asked for.
        driven: The claims that it has taken up.
    """

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.plans: dict[str, Plan] = {}
        self.plan: Plan = answer
        self.command = "ls"
        self.approval_ttl = 3_600
        self.asked: list[str] = []
        self.driven: list[Claim] = []

    async def drive(self, claim: Claim) -> None:
        self.driven.append(claim)
        try:
            if claim.lease.ending == "stop":
                await self.finish(claim, "stopped")
            else:
                await self.plans.get(claim.session_id, self.plan)(self, claim)
        except asyncio.CancelledError:
            if claim.lease.ending == "stop":
                with suppress(LeaseLost):  # cancelled behind the commit of its end
                    await self.finish(claim, "stopped")
            elif claim.lease.ending == "drain":
                async with fenced(self.log, claim) as unit:
                    await queue.requeue(unit, claim)

    async def speak(self, claim: Claim, blocks: list[dict[str, Any]]) -> None:
        """One whole message."""
        message_id = new_id()
        async with fenced(self.log, claim) as unit:
            row = await unit.session.get_one(SessionRow, claim.session_id)
            begun = MessageStarted(
                message_id=message_id, run_id=claim.run_id, turn=1, model=row.model
            )
            await journal.begin_message(unit, row, begun, epoch=claim.epoch)
        async with fenced(self.log, claim) as unit:
            row = await unit.session.get_one(SessionRow, claim.session_id)
            done = MessageCompleted(
                message_id=message_id,
                run_id=claim.run_id,
                turn=1,
                blocks=blocks,
                stop_reason="end_turn",
                input_tokens=10,
                output_tokens=5,
                cost_usd=0.25,
            )
            await journal.close_message(unit, row, done)

    async def use_tool(
        self, claim: Claim, call_id: str, content: str, *, is_error: bool = False
    ) -> None:
        """One call of Bash, made."""
        async with fenced(self.log, claim) as unit:
            row = await unit.session.get_one(SessionRow, claim.session_id)
            begun = ToolStarted(
                run_id=claim.run_id,
                turn=1,
                call_id=call_id,
                tool="Bash",
                input={"command": self.command},
            )
            await journal.begin_tool(unit, row, begun, tool_type="native")
        async with fenced(self.log, claim) as unit:
            row = await unit.session.get_one(SessionRow, claim.session_id)
            done = ToolFinished(
                run_id=claim.run_id,
                turn=1,
                call_id=call_id,
                tool="Bash",
                status="failed" if is_error else "completed",
                content=content,
                is_error=is_error,
                duration_ms=40,
                exit_code=1 if is_error else 0,
            )
            await journal.finish_tool(unit, row, done, began=True)

    async def finish(self, claim: Claim, outcome: queue.Outcome = "completed") -> None:
        """The end of the run."""
        async with fenced(self.log, claim) as unit:
            row = await unit.session.get_one(SessionRow, claim.session_id)
            await self._end(unit, row, claim, outcome)

    async def _end(self, unit: Unit, row: SessionRow, claim: Claim, outcome: queue.Outcome) -> None:
        state = (await fold(unit.session, row)).run(claim.run_id)
        await interrupt_message(unit, row, state, reason="stopped")
        seq = await end_record(unit, row, state, actor=claim.actor, status=outcome)
        await queue.finish(unit, claim, outcome, seq=seq)
