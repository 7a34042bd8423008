"""What a project's settings may say, and how far the operator lets them go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from homeport.identity.access import Caller
from homeport.identity.roles import SERVER_MANAGE
from homeport.projects.errors import SettingRefused
from homeport.projects.text import plain_text

PathText = Annotated[str, StringConstraints(min_length=1, max_length=4_096), plain_text]
Network = Literal["none", "full"]
PermissionMode = Literal["default", "accept_edits", "plan", "bypass"]


class SandboxSettings(BaseModel):
    """What the agent's commands may reach beyond the workspace."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    read: tuple[PathText, ...] = Field(
        default=(), max_length=32, description="absolute directories that commands may read"
    )
    network: Network = Field(default="none", description="what commands may reach")


class ProjectSettings(BaseModel):
    """The settings of one project."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)
    permission_mode: PermissionMode | None = Field(
        default=None,
        description="of new sessions; null: accept_edits in git workspaces, default elsewhere",
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """How far settings may go.

    Args:
        network: What everybody's projects may reach; an administrator's may reach everything.
        bypass: Whether `bypass` may be chosen at all.
    """

    network: Network = "none"
    bypass: bool = False

    def check(self, settings: ProjectSettings, caller: Caller) -> None:
        """Refuses what goes too far.

        Raises:
            SettingRefused: Member `needs` says what would allow it.
        """
        wide = settings.sandbox.network == "full" and self.network != "full"
        if wide and SERVER_MANAGE not in caller.permissions:
            raise SettingRefused(
                "Commands may use the network in an administrator's projects only.",
                param="settings.sandbox.network",
                needs=SERVER_MANAGE,
            )
        if settings.permission_mode == "bypass" and not self.bypass:
            raise SettingRefused(
                "The operator does not allow the permission mode bypass.",
                param="settings.permission_mode",
            )
