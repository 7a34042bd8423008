"""From OpenAI's request to a model request: roles, parts, tools, and what has no counterpart."""

from __future__ import annotations

import re
from typing import Any, cast

import orjson

from homeport.gateway.openai.errors import BadMessages, Unsupported
from homeport.gateway.openai.schemas import ChatCompletionRequest, ChatMessage
from homeport.providers.port import ModelInfo, ModelRequest

_DATA_URL = re.compile(r"data:(image/[a-z0-9.+-]+);base64,([A-Za-z0-9+/=\s]+)", re.DOTALL)
JSON_TOOL = "respond"
"""The tool that stands for a `response_format`: its input is the answer."""

Blocks = list[dict[str, Any]]


def model_request(
    asked: ChatCompletionRequest, model: ModelInfo, *, max_tokens: int, user_id: str
) -> ModelRequest:
    """The model request for a stateless completion.

    Raises:
        BadMessages: The messages do not make a conversation.
        Unsupported: A member asks for what no model here can do.
    """
    if asked.n not in {None, 1}:
        raise Unsupported("One choice is given per request.", param="n")
    system, messages = conversation(asked.messages)
    tools, choice = _tools(asked)
    stop = [asked.stop] if isinstance(asked.stop, str) else list(asked.stop or ())
    sampling = model.supports_sampling
    return ModelRequest(
        model=model.id,
        messages=messages,
        system=system,
        tools=tools,
        tool_choice=choice,
        max_tokens=asked.max_completion_tokens or asked.max_tokens or max_tokens,
        # OpenAI's scale goes to 2, the Messages API's to 1.
        temperature=None
        if asked.temperature is None or not sampling
        else min(asked.temperature, 1),
        top_p=asked.top_p if sampling else None,
        stop_sequences=stop,
        user_id=user_id,
    )


def answers_in_json(asked: ChatCompletionRequest) -> bool:
    """Whether `response_format` asks for JSON."""
    return (asked.response_format or {}).get("type") in {"json_object", "json_schema"}


def conversation(messages: list[ChatMessage]) -> tuple[Blocks, list[dict[str, Any]]]:
    """System blocks, and messages with alternating roles.

    Raises:
        BadMessages: A part, a tool call or a result cannot be translated, or nothing was asked.
    """
    system: Blocks = []
    told: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        if message.role in {"system", "developer"}:
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
            "The first message after the system's must be the user's.", param="messages"
        )
    return system, told


def newest_user_blocks(messages: list[ChatMessage]) -> Blocks:
    """The newest user message in stored form; the agent has the rest in its session.

    Raises:
        BadMessages: There is none.
    """
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role == "user":
            parts = _parts(messages[index].content, f"messages[{index}].content")
            return [part if part["type"] == "text" else {"text": "", **part} for part in parts]
    raise BadMessages("There is no user message.", param="messages")


def _parts(content: str | list[dict[str, Any]] | None, place: str) -> Blocks:
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    blocks: Blocks = []
    for index, part in enumerate(content):
        blocks.append(_part(part, f"{place}[{index}]"))
    return [block for block in blocks if block["type"] != "text" or block["text"]]


def _part(part: dict[str, Any], place: str) -> dict[str, Any]:
    kind = part.get("type")
    if kind in {"text", "input_text", "refusal"}:
        text = part.get("refusal" if kind == "refusal" else "text")
        if not isinstance(text, str):
            raise BadMessages("A text part has no text.", param=place)
        return {"type": "text", "text": text}
    if kind == "image_url":
        return {"type": "image", "source": _image(part.get("image_url"), place)}
    raise BadMessages(f"A part of type {str(kind)[:40]!r} cannot be translated.", param=place)


def _image(value: Any, place: str) -> dict[str, Any]:
    url = cast("dict[str, Any]", value).get("url") if isinstance(value, dict) else value
    if not isinstance(url, str):
        raise BadMessages("An image part has no url.", param=place)
    match = _DATA_URL.fullmatch(url)
    if match is not None:
        return {"type": "base64", "media_type": match[1], "data": match[2]}
    if url.startswith("https://"):
        return {"type": "url", "url": url}  # fetched by the provider, never by us
    raise BadMessages("An image is a data: URL with base64, or an https: URL.", param=place)


def _tool_use(call: dict[str, Any], place: str) -> dict[str, Any]:
    function = cast("dict[str, Any]", call.get("function") or {})
    name, arguments, id_ = function.get("name"), function.get("arguments") or "{}", call.get("id")
    try:
        parsed = orjson.loads(arguments)
    except (orjson.JSONDecodeError, TypeError):
        parsed = None
    if not isinstance(name, str) or not isinstance(id_, str) or not isinstance(parsed, dict):
        raise BadMessages(
            "A tool call needs an id, a name, and a JSON object as arguments.",
            param=f"{place}.tool_calls",
        )
    return {"type": "tool_use", "id": id_, "name": name, "input": parsed}


def _tool_result(message: ChatMessage, place: str) -> dict[str, Any]:
    if not message.tool_call_id:
        raise BadMessages("A tool message needs tool_call_id.", param=f"{place}.tool_call_id")
    content = _parts(message.content, f"{place}.content")
    return {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": content}


def _tools(asked: ChatCompletionRequest) -> tuple[Blocks, dict[str, Any] | None]:
    if answers_in_json(asked):
        if asked.tools:
            raise Unsupported(
                "response_format and tools exclude each other.", param="response_format"
            )
        schema = _json_schema(asked.response_format or {})
        tool = {
            "name": JSON_TOOL,
            "description": "Give the whole answer as this tool's input.",
            "input_schema": schema,
        }
        return [tool], {"type": "tool", "name": JSON_TOOL}
    tools = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(asked.tools or ())]
    if not tools:
        return [], None
    choice = _choice(asked.tool_choice)
    if asked.parallel_tool_calls is False:
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return tools, choice


def _tool(tool: dict[str, Any], place: str) -> dict[str, Any]:
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, dict):
        raise Unsupported("Only tools of type function can be offered.", param=place)
    described = cast("dict[str, Any]", function)
    if not isinstance(described.get("name"), str):
        raise BadMessages("A function needs a name.", param=f"{place}.function.name")
    return {
        "name": described["name"],
        "description": described.get("description") or "",
        "input_schema": described.get("parameters") or {"type": "object", "properties": {}},
    }


def _choice(choice: str | dict[str, Any] | None) -> dict[str, Any] | None:
    if choice is None or choice == "auto":
        return None
    if choice == "required":
        return {"type": "any"}
    if choice == "none":
        return {"type": "none"}
    if isinstance(choice, dict):
        function = cast("dict[str, Any]", choice.get("function") or {})
        if isinstance(function.get("name"), str):
            return {"type": "tool", "name": function["name"]}
    raise Unsupported("tool_choice is auto, none, required, or one function.", param="tool_choice")


def _json_schema(wanted: dict[str, Any]) -> dict[str, Any]:
    if wanted.get("type") == "json_object":
        return {"type": "object"}
    schema = cast("dict[str, Any]", wanted.get("json_schema") or {}).get("schema")
    if not isinstance(schema, dict) or cast("dict[str, Any]", schema).get("type") != "object":
        raise Unsupported("The schema must be one of an object.", param="response_format")
    return cast("dict[str, Any]", schema)


def _tell(told: list[dict[str, Any]], role: str, blocks: Blocks) -> None:
    if not blocks:
        return
    if told and told[-1]["role"] == role:
        told[-1]["content"].extend(blocks)
    else:
        told.append({"role": role, "content": blocks})
