"""Who may make an account, by the operator's setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from homeport.identity.errors import InvitationRequired, RegistrationClosed


@dataclass(frozen=True, slots=True)
class Registration:
    """The setting REGISTRATION."""

    mode: Literal["open", "invite", "closed"] = "open"

    def check(self) -> None:
        """Lets a stranger register, or says what is needed.

        Raises:
            InvitationRequired: The server takes invited people only.
            RegistrationClosed: The server takes nobody.
        """
        if self.mode == "closed":
            raise RegistrationClosed(
                "Ask the operator for an account: REGISTRATION=closed is set here.",
                needs="an account made by the operator",
            )
        if self.mode == "invite":
            raise InvitationRequired(
                "This server takes invited people only (REGISTRATION=invite). Ask its admin for "
                "an invitation.",
                needs="an invitation from an admin",
            )
