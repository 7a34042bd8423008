from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import structlog
from jsonschema import Draft202012Validator

from homeport.files.errors import FileNotFound
from homeport.files.workspace import Workspace
from homeport.sandbox import Command, Outcome, Rung, Sandbox, host, open_sandbox
from homeport.tools.builtin import Read, builtin_tools
from homeport.tools.guard import Guarded
from homeport.tools.port import ToolContext, ToolResult, ToolSpec
from homeport.tools.registry import Registry, check
from support.toolbox import Toolbox

FREE: dict[str, Any] = {"type": "object"}
Behaviour = Callable[[dict[str, Any], ToolContext], Awaitable[ToolResult]]


@dataclass(frozen=True, slots=True)
class Scripted:
    """A tool that does what the test says."""

    behaviour: Behaviour
    spec: ToolSpec = ToolSpec("Scripted", "", FREE, "read")

    async def run(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        return await self.behaviour(arguments, context)


@dataclass(frozen=True, slots=True)
class NoBox:
    """A machine without any rung."""

    remedy: str | None = "apt install bubblewrap"
    rung: Rung = Rung.UNAVAILABLE
    holds: tuple[str, ...] = ()

    async def run(
        self, command: Command, *, on_output: Callable[[bytes], None] | None = None
    ) -> Outcome:
        raise AssertionError("nothing is run without a box")


def guarded(behaviour: Behaviour, *, grace_s: float = 15) -> Guarded:
    return Guarded(Scripted(behaviour), check, grace_s=grace_s)


def test_offered_when_there_is_a_box_then_all_tools_are_defined_for_the_model(
    shell: Toolbox,
) -> None:
    names = ["Read", "Write", "Edit", "Glob", "Grep", "Bash"]
    assert [tool.spec.name for tool in shell.registry.offered(shell.sandbox)] == names
    assert shell.registry.notice(shell.sandbox) is None
    definitions = shell.registry.definitions(shell.sandbox)
    assert [each["name"] for each in definitions] == names
    for definition in definitions:
        assert set(definition) == {"name", "description", "input_schema"}
        assert definition["description"]
        schema = definition["input_schema"]
        Draft202012Validator.check_schema(schema)
        assert schema["additionalProperties"] is False
        assert set(schema["required"]) <= set(schema["properties"])


def test_offered_when_there_is_no_box_then_all_but_bash_and_the_remedy_is_named() -> None:
    registry = Registry(builtin_tools())

    offered = [tool.spec.name for tool in registry.offered(NoBox())]

    assert offered == ["Read", "Write", "Edit", "Glob", "Grep"]
    assert [each["name"] for each in registry.definitions(NoBox())] == offered
    notice = registry.notice(NoBox())
    assert notice is not None
    assert notice.startswith("Bash cannot be used here")
    assert notice.endswith("The operator can change that with: apt install bubblewrap")


async def test_bash_when_the_operators_rung_does_not_hold_then_it_is_not_run(
    tools: Toolbox,
) -> None:
    bare = replace(host.look(), bubblewrap=None, launcher=False, landlock=0, sandbox_exec=None)
    sandbox = await open_sandbox("auto", secrets_dir=tools.root.parent, host=bare)
    box = Toolbox(tools.root, sandbox)

    ran = await box.use("Bash", command="touch ran")

    assert sandbox.rung is Rung.UNAVAILABLE
    assert ran.is_error
    assert ran.details["code"] == "sandbox.unavailable"
    assert not (tools.root / "ran").exists()


def test_find_when_the_name_is_unknown_then_there_is_none() -> None:
    registry = Registry(builtin_tools())
    assert registry.find("Read") is not None
    assert registry.find("read") is None


def test_registry_when_names_collide_or_a_schema_is_broken_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="two tools named Read"):
        Registry([Read(), Read()])

    async def nothing(_arguments: dict[str, Any], _context: ToolContext) -> ToolResult:
        return ToolResult("")

    with pytest.raises(ValueError, match="the schema of Odd is none"):
        Registry([Scripted(nothing, ToolSpec("Odd", "", {"type": "strin"}, "read"))])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"file_path": "a"}, None),
        ({"file_path": "a", "offset": 3, "limit": 1}, None),
        ({}, "'file_path' is missing."),
        ({"file_path": 3}, "file_path must be of type string."),
        ({"file_path": "a", "offset": "3"}, "offset must be of type integer."),
        ({"file_path": "a", "offset": True}, "offset must be of type integer."),
        ({"file_path": "a", "offset": 0}, "offset must be at least 1."),
        ({"file_path": ""}, "file_path must have at least 1 characters."),
        (
            {"file_path": "a", "path": "b"},
            "there is no 'path', only 'file_path', 'offset', 'limit'.",
        ),
        ({"file_path": "\ud800"}, "it holds text that is not valid Unicode."),
    ],
)
def test_check_when_arguments_are_tried_then_what_is_wrong_is_one_sentence(
    arguments: dict[str, Any], sentence: str | None
) -> None:
    expected = None if sentence is None else f"The input of Read is not valid: {sentence}"
    assert check(Read.spec, arguments) == expected


def test_check_when_a_value_is_huge_then_it_is_not_repeated() -> None:
    wrong = check(Read.spec, {"file_path": "x" * 1_000_000})
    assert wrong is not None
    assert len(wrong) < 200


def test_check_when_a_foreign_schema_points_elsewhere_then_nothing_is_fetched() -> None:
    spec = ToolSpec("Odd", "", {"$ref": "http://127.0.0.1:9/schema.json"}, "read")
    assert check(spec, {}) == (
        "The input of Odd is not valid: its schema points to a document that is not at hand."
    )


async def test_guard_when_the_input_is_wrong_then_the_tool_never_sees_it(tools: Toolbox) -> None:
    seen = await tools.use("Read", {"file_path": 3})
    assert seen.is_error
    assert seen.details == {"code": "tool.invalid-input"}


async def test_guard_when_a_known_kind_is_raised_then_its_words_and_a_hint_are_told(
    tools: Toolbox,
) -> None:
    async def missing(_arguments: dict[str, Any], _context: ToolContext) -> ToolResult:
        raise FileNotFound("There is no a.")

    result = await guarded(missing).run({}, tools.context())

    assert result == ToolResult(
        "There is no a. Look for it with Glob.",
        is_error=True,
        details={"code": "files.not-found"},
    )


@pytest.mark.parametrize("error", [RuntimeError("secret path"), TimeoutError(), KeyError("x")])
async def test_guard_when_a_tool_has_a_bug_then_the_log_knows_and_the_model_does_not(
    tools: Toolbox, error: Exception
) -> None:
    async def broken(_arguments: dict[str, Any], _context: ToolContext) -> ToolResult:
        raise error

    with structlog.testing.capture_logs() as logged:
        result = await guarded(broken).run({}, tools.context())

    assert result.is_error
    assert "secret path" not in result.content
    [line] = logged
    assert line["event"] == "tool.failed"
    assert line["exc_info"] is error
    assert line["error_id"] == result.details["error_id"]
    assert line["error_id"] in result.content


async def test_guard_when_a_tool_does_not_come_back_then_it_is_given_up(tools: Toolbox) -> None:
    async def hangs(_arguments: dict[str, Any], _context: ToolContext) -> ToolResult:
        await asyncio.sleep(1_000)
        raise AssertionError("it was given up")

    result = await guarded(hangs, grace_s=0).run({}, tools.context(timeout_s=0.05))

    assert result.is_error
    assert result.details == {"code": "tool.timeout"}


async def test_guard_when_the_call_is_cancelled_then_that_is_raised(tools: Toolbox) -> None:
    async def hangs(_arguments: dict[str, Any], _context: ToolContext) -> ToolResult:
        await asyncio.sleep(1_000)
        raise AssertionError("it was cancelled")

    call = asyncio.create_task(guarded(hangs).run({}, tools.context()))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_guard_when_text_cannot_be_stored_then_it_is_made_storable(tools: Toolbox) -> None:
    async def odd(_arguments: dict[str, Any], _context: ToolContext) -> ToolResult:
        return ToolResult("a\x00b\udce9", details={"x": ["\x00", {"\ud800": 1}], "n": 2})

    result = await guarded(odd).run({}, tools.context())

    assert result.content == "a\ufffdb\ufffd"
    assert result.details == {"x": ["\ufffd", {"\ufffd": 1}], "n": 2}


async def test_tools_when_names_are_hostile_then_no_shell_ever_reads_them(
    tools: Toolbox,
) -> None:
    names = [";touch canary", "$(touch canary)", "`touch canary`", "--upload-pack=x", "a\nb", "-rf"]
    for name in names:
        written = await tools.use("Write", file_path=name, content="needle\n")
        assert not written.is_error, written.content
        assert (await tools.use("Read", file_path=name)).content == "     1\tneedle"
        assert not (
            await tools.use("Edit", file_path=name, old_string="needle", new_string="needles")
        ).is_error
        assert not (await tools.use("Grep", pattern="needle", path=name)).is_error
        assert not (await tools.use("Glob", pattern="*", path=".")).is_error
    assert {each.name for each in tools.root.iterdir()} == set(names)


def test_context_when_made_with_defaults_then_there_is_no_network(tools: Toolbox) -> None:
    sandbox: Sandbox = NoBox()
    context = ToolContext(Workspace(tools.root), sandbox)
    assert (context.network, context.readable) == ("none", ())
