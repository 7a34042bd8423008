"""What this wire can ask for and does not get, and how an answer fails.

Invalid
├── Unsupported        a member that this model, or any here, cannot honour
├── BadMessages        the messages do not make a conversation
└── OtherProject       the session is at work in another project
Upstream
└── RunFailed          the run that should have answered failed for a reason of ours
Unavailable
└── AnswerCut          the server is about to go, or cannot read on; the run goes on
"""

from __future__ import annotations

from typing import Any

from homeport.kernel.errors import HomeportError, Invalid, Unavailable, Upstream
from homeport.providers.errors import (
    ProviderCredentials,
    ProviderError,
    ProviderInterrupted,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderRefused,
    ProviderTimeout,
    UnknownModel,
)


class Unsupported(Invalid):
    """A member of the request that cannot be honoured; `param` names it."""

    code = "chat.unsupported"
    title = "This is not supported"


class BadMessages(Invalid):
    """The messages do not make a conversation; `param` names the place."""

    code = "chat.bad-messages"
    title = "These messages cannot be sent to a model"


class OtherProject(Invalid):
    """The session works in another project than the request says."""

    code = "chat.other-project"
    title = "The session belongs to another project"


class RunFailed(Upstream):
    """The run that should have answered failed; `reason` and the detail say why."""

    code = "run.failed"
    title = "The run failed"


class AnswerCut(Unavailable):
    """The rest cannot be sent on this connection; the run goes on, and a repeat continues it."""

    code = "chat.answer-cut"
    title = "The connection ends before the answer does"


_OF_PROVIDERS: dict[str, type[HomeportError]] = {
    kind.code: kind
    for kind in (
        ProviderError,
        ProviderRateLimited,
        ProviderOverloaded,
        ProviderCredentials,
        ProviderTimeout,
        ProviderInterrupted,
        ProviderRefused,
        UnknownModel,
    )
}


def failure_of_run(reason: str | None, detail: str | None, **members: Any) -> HomeportError:
    """The error for a failed run: of the model provider's own kind where it failed.

    Args:
        reason: Of `run.finished`: the code of what went wrong.
        detail: What it says about it.
        members: More for the error document.
    """
    kind = _OF_PROVIDERS.get(reason or "", RunFailed)
    return kind(detail, reason=reason, **members)
