"""From OpenAI's messages to a model's: roles, parts, and what has no counterpart."""

from __future__ import annotations

import hashlib
import re
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from homeport.gateway.openai.errors import BadMessages, Unsupported
from homeport.gateway.openai.schemas import ChatCompletionRequest, ChatMessage
from homeport.gateway.openai.tools import offered_tools
from homeport.providers.blocks import to_wire
from homeport.providers.port import ModelInfo, ModelRequest
from homeport.sessions.schemas.message import ImageBlock

_DATA_URL = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,(.+)", re.DOTALL)
_IMAGE: TypeAdapter[ImageBlock] = TypeAdapter(ImageBlock)
SYSTEM_ROLES = frozenset({"system", "developer"})

Blocks = list[dict[str, Any]]


def model_request(
    asked: ChatCompletionRequest, model: ModelInfo, *, max_tokens: int, user_id: str
) -> ModelRequest:
    """The model request for a stateless completion.

    Args:
        asked: The completion.
        model: Who is to answer it.
        max_tokens: Of an answer for which `asked` names none.
        user_id: Whose call it is; together with `asked.user` it is told as a hash.

    Raises:
        BadMessages: The messages do not make a conversation.
        Unsupported: A member asks for what the model cannot do.
    """
    if asked.n not in {None, 1}:
        raise Unsupported("One choice is given per request.", param="n")
    system, messages = conversation(asked.messages)
    if not model.supports_vision:
        _refuse_images(messages, model)
    tools, choice = offered_tools(asked, model)
    return ModelRequest(
        model=model.id,
        messages=messages,
        system=[*_parts(asked.system_prompt, "system_prompt"), *system],
        tools=tools,
        tool_choice=choice,
        max_tokens=asked.max_completion_tokens or asked.max_tokens or max_tokens,
        temperature=_sampling(asked.temperature, model),
        top_p=_sampling(asked.top_p, model),
        stop_sequences=[asked.stop] if isinstance(asked.stop, str) else list(asked.stop or ()),
        user_id=_hashed(user_id, asked.user),
    )


def conversation(messages: list[ChatMessage]) -> tuple[Blocks, list[dict[str, Any]]]:
    """System blocks, and messages with alternating roles.

    Raises:
        BadMessages: A part, a tool call or a result cannot be translated, or nothing was asked.
    """
    system: Blocks = []
    told: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        if message.role in SYSTEM_ROLES:
            system.extend(_parts(message.content, f"{place}.content"))
        elif message.role in {"tool", "function"}:
            _tell(told, "user", [_tool_result(message, place)])
        elif message.role == "assistant":
            calls = [_tool_use(call, place) for call in message.tool_calls or ()]
            _tell(told, "assistant", _parts(message.content, f"{place}.content") + calls)
        else:
            _tell(told, "user", _parts(message.content, f"{place}.content"))
    if not told or told[0]["role"] != "user":
        raise BadMessages(
            "The first message after the system's must be the user's, and say something.",
            param="messages",
        )
    return system, told


def newest_user_blocks(messages: list[ChatMessage]) -> Blocks:
    """The newest user message in stored form; the agent has the rest in its session.

    Raises:
        BadMessages: There is none, or it cannot be translated.
    """
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role == "user":
            parts = _parts(messages[index].content, f"messages[{index}].content")
            return [part if part["type"] == "text" else {"text": "", **part} for part in parts]
    raise BadMessages("There is no user message.", param="messages")


def system_text(asked: ChatCompletionRequest) -> str | None:
    """What the system messages say, for a session that this request makes.

    Raises:
        BadMessages: They hold what is no text.
    """
    texts: list[str] = []
    for index, message in enumerate(asked.messages):
        if message.role in SYSTEM_ROLES:
            place = f"messages[{index}].content"
            for part in _parts(message.content, place):
                if part["type"] != "text":
                    raise BadMessages("A session's system prompt is text.", param=place)
                texts.append(part["text"])
    return "\n\n".join(texts) or None


def _parts(content: str | list[dict[str, Any]] | None, place: str) -> Blocks:
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    blocks = [_part(part, f"{place}[{index}]") for index, part in enumerate(content)]
    return [block for block in blocks if block["type"] != "text" or block["text"]]


def _part(part: dict[str, Any], place: str) -> dict[str, Any]:
    kind = str(part.get("type"))
    if kind in {"text", "input_text", "refusal"}:
        text = part.get("refusal" if kind == "refusal" else "text")
        if not isinstance(text, str):
            raise BadMessages("A text part has no text.", param=place)
        return {"type": "text", "text": text}
    if kind == "image_url":
        return _image(part.get("image_url"), place)
    raise BadMessages(f"A part of type {kind[:40]!r} cannot be translated.", param=place)


def _image(value: Any, place: str) -> dict[str, Any]:
    """An image block; one that the session's own route would refuse is refused here, too."""
    url = cast("dict[str, Any]", value).get("url") if isinstance(value, dict) else value
    if not isinstance(url, str):
        raise BadMessages("An image part has no url.", param=place)
    match = _DATA_URL.fullmatch(url)
    source = (
        {"type": "url", "url": url}  # fetched by the provider, never by us
        if match is None
        else {"type": "base64", "media_type": match[1], "data": "".join(match[2].split())}
    )
    try:
        block = _IMAGE.validate_python({"type": "image", "source": source})
    except ValidationError:
        raise BadMessages(
            "An image is a data: URL of a PNG, JPEG, GIF or WebP in base64, or an https: URL.",
            param=place,
        ) from None
    return block.model_dump(mode="json")


def _refuse_images(messages: list[dict[str, Any]], model: ModelInfo) -> None:
    if any(block["type"] == "image" for message in messages for block in message["content"]):
        raise Unsupported(f"The model {model.id} does not take images.", param="messages")


def _tool_use(call: dict[str, Any], place: str) -> dict[str, Any]:
    place = f"{place}.tool_calls"
    function = call.get("function")
    if not isinstance(function, dict):
        raise BadMessages("Only calls of functions can be translated.", param=place)
    members = cast("dict[str, Any]", function)
    name, arguments, id_ = members.get("name"), members.get("arguments") or "", call.get("id")
    if not isinstance(name, str) or not isinstance(id_, str) or not isinstance(arguments, str):
        raise BadMessages(
            "A tool call needs an id, a name, and its arguments as text.", param=place
        )
    # Arguments that a model has cut off or garbled come back from clients with an error as result.
    return to_wire({"type": "tool_use", "id": id_, "name": name, "text": arguments})


def _tool_result(message: ChatMessage, place: str) -> dict[str, Any]:
    if not message.tool_call_id:
        raise BadMessages("A tool message needs tool_call_id.", param=f"{place}.tool_call_id")
    content = _parts(message.content, f"{place}.content")
    return {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": content}


def _sampling(value: float | None, model: ModelInfo) -> float | None:
    """`temperature` or `top_p` if it asks for something; OpenAI's scale goes to 2, Claude's to 1.

    1 is everybody's default, and newer models refuse the two together.
    """
    if value is None or value >= 1 or not model.supports_sampling:
        return None
    return value


def _hashed(user_id: str, user: str | None) -> str:
    whose = f"{user_id}\n{user}" if user else user_id
    return hashlib.sha256(whose.encode()).hexdigest()[:32]


def _tell(told: list[dict[str, Any]], role: str, blocks: Blocks) -> None:
    if not blocks:
        return
    if told and told[-1]["role"] == role:
        told[-1]["content"].extend(blocks)
    else:
        told.append({"role": role, "content": blocks})
