"""Who may make an account, by the operator's setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from homeport.identity.errors import InvitationRequired, RegistrationClosed


@dataclass(frozen=True, slots=True)
class Registration:
    """The setting REGISTRATION."""

    mode: Literal["open", "invite", "closed"] = "open"

    def check(self, *, invited: bool) -> None:
        """Lets a stranger register, or says what is needed.

        Args:
            invited: They have come with a code, which nobody has looked at yet.

        Raises:
            InvitationRequired: The server takes invited people only.
            RegistrationClosed: The server takes nobody.
        """
        self.refuse_closed()
        if self.mode == "invite" and not invited:
            raise InvitationRequired(
                "This server takes invited people only (REGISTRATION=invite). Ask its admin for "
                "an invitation.",
                needs="an invitation from an admin",
            )

    def refuse_closed(self) -> None:
        """Refuses where nobody may register, with an invitation or without.

        Raises:
            RegistrationClosed: That is so here.
        """
        if self.mode == "closed":
            raise RegistrationClosed(
                "Ask the operator for an account: REGISTRATION=closed is set here.",
                needs="an account made by the operator",
            )
