"""From OpenAI's tools to a model's: functions, the choice among them, and answers in JSON."""

from __future__ import annotations

from typing import Any, cast

from homeport.gateway.openai.errors import BadMessages, Unsupported
from homeport.gateway.openai.schemas import ChatCompletionRequest
from homeport.providers.port import ModelInfo

JSON_TOOL = "respond"
"""The tool that stands for a `response_format`: its input is the answer."""

Offer = tuple[list[dict[str, Any]], dict[str, Any] | None]


def offered_tools(asked: ChatCompletionRequest, model: ModelInfo) -> Offer:
    """The tools of a request, and which of them must be chosen.

    Raises:
        BadMessages: A tool has no name.
        Unsupported: A kind of tool, choice or format that the model does not know.
    """
    if answers_in_json(asked):
        offer = _json_offer(asked)
    else:
        tools = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(asked.tools or ())]
        offer = tools, _choice(asked, tools)
    must = (offer[1] or {}).get("type") in {"any", "tool"}
    if must and not model.supports_tool_choice:
        param = "response_format" if answers_in_json(asked) else "tool_choice"
        raise Unsupported(f"The model {model.id} cannot be held to this.", param=param)
    return offer


def answers_in_json(asked: ChatCompletionRequest) -> bool:
    """Whether `response_format` asks for JSON.

    Raises:
        Unsupported: It asks for something else than JSON or text.
    """
    kind = str((asked.response_format or {}).get("type", "text"))
    if kind not in {"text", "json_object", "json_schema"}:
        raise Unsupported(
            "response_format is text, json_object or json_schema.", param="response_format"
        )
    return kind != "text"


def _json_offer(asked: ChatCompletionRequest) -> Offer:
    if asked.tools:
        raise Unsupported("response_format and tools exclude each other.", param="response_format")
    tool = {
        "name": JSON_TOOL,
        "description": "Give the whole answer as this tool's input.",
        "input_schema": _schema(asked.response_format or {}),
    }
    return [tool], {"type": "tool", "name": JSON_TOOL}


def _schema(wanted: dict[str, Any]) -> dict[str, Any]:
    if wanted.get("type") == "json_object":
        return {"type": "object"}
    described = wanted.get("json_schema")
    schema = cast("dict[str, Any]", described).get("schema") if isinstance(described, dict) else 0
    if not isinstance(schema, dict) or cast("dict[str, Any]", schema).get("type") != "object":
        raise Unsupported("The schema must be one of an object.", param="response_format")
    return cast("dict[str, Any]", schema)


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


def _choice(asked: ChatCompletionRequest, tools: list[dict[str, Any]]) -> dict[str, Any] | None:
    choice = _chosen(asked.tool_choice)
    if not tools:
        if choice is not None and choice["type"] != "none":
            raise Unsupported("There are no tools to choose from.", param="tool_choice")
        return None
    if asked.parallel_tool_calls is False and (choice or {}).get("type") != "none":
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return choice


def _chosen(choice: str | dict[str, Any] | None) -> dict[str, Any] | None:
    if choice is None or choice == "auto":
        return None
    if choice == "required":
        return {"type": "any"}
    if choice == "none":
        return {"type": "none"}
    function = choice.get("function") if isinstance(choice, dict) else None
    name = cast("dict[str, Any]", function).get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        raise Unsupported(
            "tool_choice is auto, none, required, or one function.", param="tool_choice"
        )
    return {"type": "tool", "name": name}
