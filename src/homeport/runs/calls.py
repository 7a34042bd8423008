"""A turn's tool calls: judged, asked about all at once, made in order, each at most once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from homeport.dispatch import queue
from homeport.eventlog.catalogue.run import RunPaused
from homeport.eventlog.catalogue.tool import ToolFinished, ToolStarted
from homeport.kernel import clock
from homeport.kernel.db.failures import DatabaseBusy
from homeport.kernel.errors import StorageFull
from homeport.projects.access import project_at_work
from homeport.providers.blocks import parse_input
from homeport.runs.checkpoint import Safeguard
from homeport.runs.job import Job
from homeport.runs.limits import Limits
from homeport.runs.progress import shown
from homeport.sessions.runstate import ToolCall
from homeport.sessions.service import journal
from homeport.sessions.state import SessionState
from homeport.tools.approval import summary
from homeport.tools.port import Tool, ToolResult
from homeport.tools.registry import check

CUT = (
    "Your answer was cut off by its length inside this call, so it was not made. "
    "Call again with less at once."
)
NOT_JSON = "The input is not a JSON object, so the call was not made. Call again with valid JSON."
EXPIRED = "Nobody answered the question about this call in time, so it was not made."
KEEP_AGAIN_S = 0.5
_logger = structlog.get_logger(__name__)
Status = Literal["completed", "failed", "denied", "expired", "refused"]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A call that may be made."""

    call: ToolCall
    tool: Tool
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Refused:
    """A call that will not be made, and what the model is told."""

    call: ToolCall
    status: Status
    content: str


@dataclass(frozen=True, slots=True)
class _Question:
    """A call that people must be asked about."""

    call: ToolCall
    tool: Tool
    arguments: dict[str, Any]
    digest: str


Verdict = _Ready | _Refused | _Question


class Calls:
    """Makes the calls of a turn.

    Args:
        approval_ttl: Seconds until a question to people expires.
    """

    def __init__(self, *, limits: Limits, safeguard: Safeguard, approval_ttl: int) -> None:
        self._limits = limits
        self._safeguard = safeguard
        self._approval_ttl = approval_ttl

    async def make(self, job: Job) -> bool:
        """Gives the pending calls their results; False when the run now waits for people.

        Calls behind a limit are left pending.

        Raises:
            LeaseLost: Somebody else has the run.
        """
        allowed = job.state.pending[: self._limits.calls_left(job.state)]
        verdicts = [await self._judge(job, call) for call in allowed]
        questions = [verdict for verdict in verdicts if isinstance(verdict, _Question)]
        if questions or any(call.approval == "requested" for call in allowed):
            await self._ask(job, questions)
            return False
        group: list[_Ready] = []
        for verdict in verdicts:
            alone = not isinstance(verdict, _Ready) or verdict.tool.spec.effect != "read"
            if alone:
                await self._run(job, group)
                group = []
            if isinstance(verdict, _Refused):
                await self._refuse(job, verdict)
            elif isinstance(verdict, _Ready):
                group.append(verdict)
                if alone:
                    await self._run(job, group)
                    group = []
        await self._run(job, group)
        return True

    async def _judge(self, job: Job, call: ToolCall) -> Verdict:
        bench = job.bench
        if call.cut:
            return _Refused(call, "refused", CUT)
        arguments = parse_input(call.raw)
        if arguments is None:
            return _Refused(call, "refused", NOT_JSON)
        tool = bench.tools.find(call.tool)
        if tool is None or call.tool not in bench.offered:
            known = ", ".join(sorted(bench.offered))
            return _Refused(call, "refused", f"There is no tool {call.tool!r}; there are: {known}.")
        wrong = check(tool.spec, arguments)
        if wrong is not None:
            return _Refused(call, "refused", wrong)
        return await self._permit(job, call, tool, arguments)

    async def _permit(
        self, job: Job, call: ToolCall, tool: Tool, arguments: dict[str, Any]
    ) -> Verdict:
        if call.approval == "denied":
            note = f" They said: {call.note}" if call.note else ""
            return _Refused(call, "denied", f"The person you work for denied this call.{note}")
        if call.approval == "expired":
            return _Refused(call, "expired", EXPIRED)
        digest = job.bench.digest(tool.spec, arguments)
        if call.approval == "approved" and call.approval_digest == digest:
            return _Ready(call, tool, arguments)
        decision, reason = await job.bench.decide(tool.spec, digest, run_id=job.claim.run_id)
        if decision == "allow":
            return _Ready(call, tool, arguments)
        if decision == "deny":
            return _Refused(call, "denied", reason)
        return _Question(call, tool, arguments, digest)

    async def _ask(self, job: Job, questions: list[_Question]) -> None:
        """All questions of a turn at once; then the lease is given back until people answer."""
        claim, state = job.claim, job.state
        async with job.step() as step:
            asked = [
                await journal.request_approval(
                    step.unit,
                    step.row,
                    run_id=claim.run_id,
                    turn=state.turn,
                    call_id=question.call.call_id,
                    tool=question.tool.spec.name,
                    arguments=question.arguments,
                    summary=summary(question.tool.spec.name, question.arguments),
                    digest=question.digest,
                    network=job.bench.network if question.tool.spec.effect == "execute" else None,
                    ttl_s=self._approval_ttl,
                )
                for question in questions
            ]
            paused = RunPaused(run_id=claim.run_id, approval_ids=asked)
            step.unit.append(claim.stream, paused, actor=claim.actor)
            await queue.pause(step.unit, claim)

    async def _refuse(self, job: Job, refused: _Refused) -> None:
        result = ToolResult(refused.content, is_error=True)
        async with job.step() as step:
            event = self._finished(job, refused.call, refused.status, result, None)
            await journal.finish_tool(step.unit, step.row, event, began=refused.call.started)

    async def _run(self, job: Job, group: list[_Ready]) -> None:
        """Makes calls that may go together; `tool.started` is committed before the first begins.

        Raises:
            ProjectClosed, RoleRequired: Whose session it is may not work in the project any more.
        """
        if not group or self._limits.forbids_call(job.state) is not None:
            return
        claim, turn = job.claim, job.state.turn
        if any(ready.tool.spec.effect != "read" for ready in group):
            await self._safeguard.before(job, turn)
        async with job.step() as step:
            row = step.row
            # In the unit that makes the calls certain: whoever is shut out makes none after it.
            await project_at_work(step.unit.session, project_id=row.project_id, user_id=row.user_id)
            for ready in group:
                if not ready.call.started:  # an idempotent one may have been, before a crash
                    started = ToolStarted(
                        run_id=claim.run_id,
                        turn=turn,
                        call_id=ready.call.call_id,
                        tool=ready.tool.spec.name,
                        input=ready.arguments,
                    )
                    await journal.begin_tool(
                        step.unit, step.row, started, tool_type=ready.tool.spec.tool_type
                    )
        async with asyncio.TaskGroup() as together:
            made = [together.create_task(self._make(job, ready)) for ready in group]
        ended: list[ToolFinished] = []
        for ready, task in zip(group, made, strict=True):
            result, took_ms = task.result()
            status: Status = "failed" if result.is_error else "completed"
            ended.append(self._finished(job, ready.call, status, result, took_ms))
        await _keep(job, ended)

    async def _make(self, job: Job, ready: _Ready) -> tuple[ToolResult, int]:
        began = clock.monotonic()
        async with shown(job, call_id=ready.call.call_id, tool=ready.tool.spec.name) as on_output:
            context = job.bench.tool_context(
                seconds=self._limits.seconds_left(job.state),
                seen=_seen(job.session),
                on_output=on_output,
            )
            result = await ready.tool.run(ready.arguments, context)
        return result, int((clock.monotonic() - began) * 1000)

    @staticmethod
    def _finished(
        job: Job, call: ToolCall, status: Status, result: ToolResult, took_ms: int | None
    ) -> ToolFinished:
        return ToolFinished(
            run_id=job.claim.run_id,
            turn=job.state.turn,
            call_id=call.call_id,
            tool=call.tool,
            status=status,
            content=result.content,
            is_error=result.is_error,
            duration_ms=took_ms,
            exit_code=result.exit_code,
            details=result.details,
        )


def _seen(session: SessionState) -> dict[str, str]:
    """What the model knows of files, by path: their ETags when it last read or left them."""
    found: dict[str, str] = {}
    for run in (run for run in session.runs.values() if not run.forgotten):
        for call in (call for turn in run.turns for call in turn.calls):
            about = {} if call.result is None else call.result.details
            path, etag = about.get("path"), about.get("etag")
            if isinstance(path, str) and isinstance(etag, str):
                found[path] = etag
    return found


async def _keep(job: Job, ended: list[ToolFinished]) -> None:
    """Writes down how calls ended that were made.

    A database that is busy or full is waited for as long as nobody else has the run: what is not
    written down is unknown for ever, as no call is made twice.
    """
    while True:
        try:
            async with job.step() as step:
                for event in ended:
                    await journal.finish_tool(step.unit, step.row, event, began=True)
        except (DatabaseBusy, StorageFull) as error:
            _logger.warning("tool.result-waits", run_id=job.claim.run_id, code=error.code)
            await asyncio.sleep(KEEP_AGAIN_S)
            await job.claim.lease.certain()
        else:
            return
