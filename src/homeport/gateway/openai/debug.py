"""How a completion would be understood: what the legacy debug route tells. No model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from homeport.dispatch import queue
from homeport.eventlog import EventLog
from homeport.gateway.openai.commission import existing_session
from homeport.gateway.openai.ignored import ignored_by_agent, ignored_by_model
from homeport.gateway.openai.schemas import (
    ChatMessage,
    DebugRequest,
    ModelState,
    ToldMessage,
    Understanding,
)
from homeport.gateway.openai.settings import ChatSettings
from homeport.gateway.openai.translate import (
    Blocks,
    model_request,
    newest_user_blocks,
    system_text,
)
from homeport.identity.access import Caller
from homeport.kernel.db import ReadSession
from homeport.projects.access import project_for
from homeport.providers.blocks import to_wire
from homeport.providers.models import Models
from homeport.sessions.models import SessionRow
from homeport.sessions.service.conclude import fold

CHARACTERS_PER_TOKEN = 4
MOST_CONTEXT = 32 * 1024
"""Characters of `context`: its end is what the model answers to."""


async def understand(
    asked: DebugRequest, *, caller: Caller, log: EventLog, models: Models, settings: ChatSettings
) -> Understanding:
    """What a completion would do.

    Raises:
        UnknownModel: Nobody serves the model.
        BadMessages, Unsupported: As the completion itself.
        SessionNotFound, OtherProject, ProjectNotFound: As the completion itself.
    """
    if asked.prompt is not None:
        asked.messages.append(ChatMessage(role="user", content=asked.prompt))
    if not asked.for_agent:
        return _by_model(asked, caller, models, settings)
    async with log.database.read() as session:
        row = await existing_session(session, caller, asked)
        if row is not None:
            return await _in_session(session, asked, row)
        if asked.project_id is not None:
            await project_for(session, caller, asked.project_id, "write")
    return _in_new_session(asked, models)


def _by_model(
    asked: DebugRequest, caller: Caller, models: Models, settings: ChatSettings
) -> Understanding:
    _, model = models.get(asked.model or models.default)
    request = model_request(asked, model, max_tokens=settings.max_tokens, user_id=caller.user_id)
    choice = request.tool_choice or {}
    return Understanding(
        mode="stateless",
        model=model.id,
        tools=[str(tool["name"]) for tool in request.tools],
        tool_choice=choice.get("name") or choice.get("type"),
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        stop=list(request.stop_sequences),
        response_format=str((asked.response_format or {}).get("type", "text")),
        ignored=ignored_by_model(asked, model),
        **_prompt(asked, cast("Blocks", request.system), request.messages),
    )


async def _in_session(session: ReadSession, asked: DebugRequest, row: SessionRow) -> Understanding:
    runs = await queue.unfinished(session, row.id)
    history = (await fold(session, row)).history("")
    return Understanding(
        mode="agent",
        session_id=row.id,
        project_id=row.project_id,
        model=row.model,
        model_state=cast("ModelState", runs[0].status) if runs else "ready",
        ignored=ignored_by_agent(asked, row),
        **_prompt(asked, _text(row.system_prompt), [*history, _said(asked)]),
    )


def _in_new_session(asked: DebugRequest, models: Models) -> Understanding:
    _, model = models.get(asked.model or models.default)
    return Understanding(
        mode="agent",
        session_id=asked.session_id,
        project_id=asked.project_id,
        model=model.id,
        ignored=ignored_by_agent(asked, None),
        **_prompt(asked, _text(asked.system_prompt or system_text(asked)), [_said(asked)]),
    )


def _said(asked: DebugRequest) -> dict[str, Any]:
    blocks = [to_wire(block) for block in newest_user_blocks(asked.messages)]
    return {"role": "user", "content": blocks}


def _text(text: str | None) -> Blocks:
    return [{"type": "text", "text": text}] if text else []


def _prompt(
    asked: DebugRequest, system: Blocks, messages: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What the model would be told: its text if wanted, and how much it is."""
    told = [("system", system), *((each["role"], each["content"]) for each in messages)]
    lines = [f"{role}: {_shown(block)}" for role, blocks in told for block in blocks]
    context = "\n".join(lines)
    return {
        "tokens": len(context) // CHARACTERS_PER_TOKEN,
        "context": context[-MOST_CONTEXT:] if asked.include_context else "",
        "messages": [
            ToldMessage(
                role=each["role"],
                blocks=[block["type"] for block in each["content"]],
                characters=sum(len(_shown(block)) for block in each["content"]),
            )
            for each in messages
        ],
    }


def _shown(block: dict[str, Any]) -> str:
    """A block as a line of the context; what is no text is only named."""
    match block["type"]:
        case "text":
            return block["text"]
        case "tool_use":
            return f"[calls {block['name']}]"
        case "tool_result":
            content = block["content"]
            return content if isinstance(content, str) else " ".join(map(_shown, content))
        case kind:
            return f"[{kind}]"
