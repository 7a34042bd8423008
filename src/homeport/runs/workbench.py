"""What a run works with: the model, the workspace, the tools, and what it may do with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from homeport.eventlog import EventLog
from homeport.files.access import workspace_of
from homeport.files.checkpoints import is_git
from homeport.files.workspace import Workspace
from homeport.projects.access import project_at_work
from homeport.projects.service import settings_of
from homeport.providers.models import Models
from homeport.providers.port import ModelInfo, Provider
from homeport.sandbox.port import Sandbox
from homeport.sessions.models import SessionRow
from homeport.tools import grants
from homeport.tools.approval import digest
from homeport.tools.policy import Mode, decide, refusal
from homeport.tools.port import ToolContext, ToolSpec
from homeport.tools.registry import Registry


@dataclass(slots=True)
class Workbench:
    """One run's surroundings, as they were when it was taken up.

    Attributes:
        offered: Names of the tools that the model gets.
        network: What a command may reach: `none` or `full`.
        readable: Directories outside the workspace that a command may read.
        git: Whether the workspace is a git repository, which has checkpoints and undo.
        bypass: Whether the operator lets sessions run without asking.
    """

    log: EventLog
    session: SessionRow
    provider: Provider
    model: ModelInfo
    workspace: Workspace
    sandbox: Sandbox
    tools: Registry
    offered: frozenset[str]
    definitions: list[dict[str, Any]]
    notices: list[str]
    network: Literal["none", "full"]
    readable: tuple[Path, ...]
    git: bool
    bypass: bool
    tool_timeout: float

    @property
    def system_prompt(self) -> str | None:
        """The session's own words to the model."""
        return self.session.system_prompt

    def digest(self, spec: ToolSpec, arguments: dict[str, Any]) -> str:
        """What an approval is bound to: tool, input, directory, network, project."""
        return digest(
            spec.name,
            arguments,
            cwd=str(self.workspace.root),
            network=self.network,
            project_id=self.session.project_id,
        )

    async def decide(
        self, spec: ToolSpec, approved: str, *, run_id: str
    ) -> tuple[Literal["allow", "ask", "deny"], str]:
        """Whether a call is allowed, asked about, or denied with a reason for the model."""
        mode = cast("Mode", self.session.permission_mode)
        if mode == "bypass" and not self.bypass:
            mode = "default"  # the operator has taken his word back since
        decision = decide(mode, spec, granted=False)
        if decision != "ask":
            return decision, refusal(spec)
        async with self.log.database.read() as session:
            granted = await grants.granted(
                session,
                project_id=self.session.project_id,
                user_id=self.session.user_id,
                run_id=run_id,
                digest=approved,
                spec=spec,
            )
        return decide(mode, spec, granted=granted), refusal(spec)

    def tool_context(
        self, *, seconds: float, seen: Mapping[str, str], on_output: Callable[[bytes], None]
    ) -> ToolContext:
        """What a tool is given; a command may take `tool_timeout`, or the run's rest."""
        return ToolContext(
            workspace=self.workspace,
            sandbox=self.sandbox,
            network=self.network,
            readable=self.readable,
            timeout_s=max(min(self.tool_timeout, seconds), 0.1),
            seen=seen,
            on_output=on_output,
        )


class Workbenches:
    """Sets workbenches up.

    Args:
        tool_timeout: Seconds that one command may take at most.
        bypass: Whether the operator lets sessions run without asking.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        models: Models,
        tools: Registry,
        sandbox: Sandbox,
        tool_timeout: float,
        bypass: bool,
    ) -> None:
        self._log = log
        self._models = models
        self._tools = tools
        self._sandbox = sandbox
        self._tool_timeout = tool_timeout
        self._bypass = bypass

    async def open(self, row: SessionRow) -> Workbench:
        """The workbench of a session's runs.

        Raises:
            ProjectClosed, RoleRequired: Whose session it is may not work in the project any more.
            NotFound: The model is gone.
            WorkspaceMissing: The workspace's directory is gone.
        """
        async with self._log.database.read() as session:
            project = await project_at_work(session, project_id=row.project_id, user_id=row.user_id)
        settings = settings_of(project)
        workspace = workspace_of(project)
        git = await asyncio.to_thread(is_git, workspace)
        provider, model = self._models.get(row.model)
        offered = self._tools.offered(self._sandbox)
        notice = self._tools.notice(self._sandbox)
        return Workbench(
            log=self._log,
            session=row,
            provider=provider,
            model=model,
            workspace=workspace,
            sandbox=self._sandbox,
            tools=self._tools,
            offered=frozenset(tool.spec.name for tool in offered),
            definitions=self._tools.definitions(self._sandbox),
            notices=[notice] if notice else [],
            network=settings.sandbox.network,
            readable=tuple(Path(each) for each in settings.sandbox.read),
            git=git,
            bypass=self._bypass,
            tool_timeout=self._tool_timeout,
        )
