"""What works: models, the sandbox, tools, the dispatcher and the agent loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from homeport.dispatch.dispatcher import Dispatcher
from homeport.eventlog import Eraser, EventLog
from homeport.files.checkpoints import Checkpoints
from homeport.gateway.openai.commission import Commissions
from homeport.gateway.openai.settings import ChatSettings
from homeport.identity.work import Work
from homeport.kernel import ids
from homeport.kernel.db import Database
from homeport.kernel.wakeups import Wakeups
from homeport.operations import Finding
from homeport.projects.at_work import AtWork
from homeport.projects.places import Places
from homeport.projects.policy import Limits as Bounds
from homeport.providers.models import Models
from homeport.providers.offer import offer_models
from homeport.runs.budget import Unlimited
from homeport.runs.calls import Calls
from homeport.runs.checkpoint import Safeguard
from homeport.runs.compaction import Compaction
from homeport.runs.driver import Driver
from homeport.runs.limits import Limits
from homeport.runs.turn import Turns
from homeport.runs.workbench import Workbenches
from homeport.sandbox import open_sandbox
from homeport.sandbox.port import Rung, Sandbox
from homeport.sessions.chores import erase_deleted_accounts, expire_approvals
from homeport.sessions.policy import SessionPolicy
from homeport.sessions.service import erase
from homeport.sessions.service.closing import Sessions
from homeport.sessions.service.delete import Deletion
from homeport.sessions.service.erase_account import AccountErasure
from homeport.settings import Settings
from homeport.tools.builtin import builtin_tools
from homeport.tools.registry import Registry
from homeport.wiring.house import House, every

EXPIRY_S = 5.0
SWEEP_S = 600.0
GRACE_S = 20.0


async def models(house: House) -> None:
    """Who answers: Claude when there is a key, and always the demo."""
    settings = house.settings
    key = settings.anthropic_api_key
    found = offer_models(
        api_key=key.get_secret_value() if key is not None else None,
        base_url=settings.anthropic_base_url,
        default=settings.anthropic_model,
        idle_timeout_s=settings.anthropic_idle_timeout,
        demo_pace=settings.demo_pace,
    )
    house.rooms.push_async_callback(found.close)
    house.provide(found)
    default, info = found.get(found.default)
    house.checks["models"] = _always(Finding(ok=True, detail={"default": info.id}))
    house.chore("models.warm", default.warm())
    hint = "" if default.name != "demo" else "  (set ANTHROPIC_API_KEY for a real one)"
    house.banner.append(("model", f"{info.id}{hint}"))


async def sandbox(house: House) -> None:
    """The strongest box that this machine holds, tried out just now."""
    box = await open_sandbox(house.settings.sandbox, secrets_dir=house.settings.data_path)
    house.services[Sandbox] = box
    fine = box.rung is not Rung.UNAVAILABLE
    detail = {"rung": box.rung.value, "holds": list(box.holds), "remedy": box.remedy}
    found = Finding(ok=True, detail=detail)
    house.checks["sandbox"] = _always(found)
    lines = [box.rung.value, *box.holds] if fine else [f"unavailable; Bash is off. {box.remedy}"]
    house.banner.append(("sandbox", "\n".join(lines)))


async def runs(house: House) -> None:
    """The dispatcher and what it drives."""
    settings = house.settings
    events: EventLog = house.get(EventLog)
    box: Sandbox = house.services[Sandbox]
    tools = Registry(builtin_tools())
    store = settings.data_path / "checkpoints"
    checkpoints = Checkpoints(box, store)
    safeguard = Safeguard(checkpoints)
    limits = _limits(settings)
    node = f"{settings.node_id or _node_id(house)}:{ids.new_id()}"
    budget = Unlimited()
    compaction = Compaction(limits=limits, budget=budget, share=settings.run_compact_at)
    driver = Driver(
        events,
        node=node,
        benches=Workbenches(
            events,
            models=house.get(Models),
            tools=tools,
            sandbox=box,
            tool_timeout=settings.tool_timeout,
            bypass=settings.allow_bypass,
        ),
        turns=Turns(limits=limits, budget=budget, safeguard=safeguard, compaction=compaction),
        calls=Calls(limits=limits, safeguard=safeguard, approval_ttl=settings.approval_ttl),
        limits=limits,
        safeguard=safeguard,
        is_idempotent=_idempotence(tools),
    )
    dispatcher = Dispatcher(
        house.get(Database),
        node=node,
        ttl=settings.lease_ttl,
        per_user=settings.max_sessions_per_user,
        drive=driver.drive,
        wakeups=house.get(Wakeups),
    )
    policy = SessionPolicy(idle_after=timedelta(seconds=settings.session_timeout))
    bounds: Bounds = house.get(Bounds)
    chat = ChatSettings(
        max_tokens=settings.anthropic_max_tokens, answer_within_s=settings.chat_answer_within
    )
    commissions = Commissions(
        events,
        dispatcher=dispatcher,
        places=house.get(Places),
        models=house.get(Models),
        bounds=bounds,
    )
    eraser: Eraser = house.get(Eraser)
    eraser.on("session", erase.blank)
    deletion = Deletion(events, dispatcher, eraser)
    closing = Sessions(events, dispatcher)
    erasure = AccountErasure(
        events,
        eraser,
        deletion,
        at_work=closing,
        places=house.get(Places),
        checkpoints=store,
    )
    house.provide(tools, checkpoints, dispatcher, policy, chat, commissions, deletion)
    house.services[AtWork] = house.services[Work] = closing
    house.active_sessions = _at_work(dispatcher)
    house.drains.append(partial(dispatcher.drain, GRACE_S))
    await dispatcher.start()
    house.rooms.push_async_callback(dispatcher.drain, 0)

    async def expire() -> int:
        return await expire_approvals(events, house.get(Database), dispatcher)

    async def sweep() -> int:
        return await erase.sweep(events, eraser)

    async def forget() -> int:
        return await erase_deleted_accounts(events, erasure)

    house.chore("approvals.expire", every(EXPIRY_S, expire))
    house.chore("sessions.sweep", every(SWEEP_S, sweep))
    house.chore("accounts.erase", every(SWEEP_S, forget))


def _limits(settings: Settings) -> Limits:
    return Limits(
        turns=settings.run_max_turns,
        tokens=settings.run_max_tokens,
        tool_calls=settings.run_max_tool_calls,
        output_bytes=settings.run_max_output_bytes,
        seconds=settings.run_max_seconds,
    )


def _node_id(house: House) -> str:
    """SQLite has one node, so what `local` held is ours; of many each restart is a new one."""
    database: Database = house.get(Database)
    return "local" if database.dialect == "sqlite" else ids.new_id()


def _idempotence(tools: Registry) -> Callable[[str], bool]:
    def is_idempotent(name: str) -> bool:
        tool = tools.find(name)
        return tool is not None and tool.spec.idempotent

    return is_idempotent


def _always(finding: Finding) -> Callable[[], Awaitable[Finding]]:
    """What was found once, at the start, and cannot change."""

    async def check() -> Finding:
        return finding

    return check


def _at_work(dispatcher: Dispatcher) -> Callable[[], Awaitable[int]]:
    async def count() -> int:
        return dispatcher.at_work

    return count
