"""Tools that are not functions of the model: free text, shells, patches, a computer. The app writes what they do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Literal, ParamSpec, cast, get_origin

from pydantic import Field, ValidationError
from pydantic_core import to_json
from typing_extensions import TypeVar

from rxstream.errors import ToolError
from rxstream.events import ComputerCallItem, PatchOperation, ShellAction
from rxstream.events._base import Model
from rxstream.tools._client_tool import ClientTool, OnRestart, Start, answer_item
from rxstream.tools._context import Context
from rxstream.tools._docstring import read_docstring
from rxstream.tools._output import Image, output_of
from rxstream.tools._schema import annotated_function, annotations_of
from rxstream.tools._tool import require_function, tool_name

_P = ParamSpec("_P")
_R = TypeVar("_R", default=Any)

_LOCAL = {"type": "local"}
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_OPERATIONS = ("create_file", "update_file", "delete_file")


class LocalShellAction(Model, frozen=True):
    """The command of a call of `local_shell`."""

    type: str = "exec"
    command: list[str] = Field(default_factory=list[str])
    env: dict[str, str] = Field(default_factory=dict[str, str])
    timeout_ms: int | None = None
    user: str | None = None
    working_directory: str | None = None


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command of a shell printed, and how it ended."""

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0
    timed_out: bool = False
    """It was ended because it took too long. Then `exit_code` does not count."""

    def part(self) -> dict[str, Any]:
        """One output of the API."""
        outcome = {"type": "timeout"} if self.timed_out else {"type": "exit", "exit_code": self.exit_code}
        return {"stdout": self.stdout, "stderr": self.stderr, "outcome": outcome}


class _ValueTool(ClientTool[_P, _R]):
    """A tool whose function gets one value, and perhaps a parameter of the type `Context`."""

    def __init__(self, fn: Callable[_P, _R], name: str, **options: Any) -> None:
        require_function(fn)
        super().__init__(fn, name, **options)
        annotations = annotations_of(fn, name)
        values: list[inspect.Parameter] = []
        contexts: list[str] = []
        for parameter in inspect.signature(fn).parameters.values():
            if isinstance(fn, partial) and parameter.name in fn.keywords:
                continue  # the app has given it
            annotation = annotations.get(parameter.name)
            if annotation is Context or get_origin(annotation) is Context:
                contexts.append(parameter.name)
            elif parameter.default is parameter.empty and parameter.kind not in _VARIADIC:
                values.append(parameter)
        if len(values) != 1:
            got = ", ".join(parameter.name for parameter in values) or "none"
            raise TypeError(f"{name}: expected a function of one value, and perhaps of a Context, got of {got}")
        self._value = values[0]
        self._contexts = contexts
        self.__name__ = name
        self.__doc__ = annotated_function(fn).__doc__
        self.__wrapped__: Callable[_P, _R] = fn

    def value_of(self, call: Any) -> Any:
        """What the function gets. Raises: ToolError: the call does not hold it."""
        raise NotImplementedError

    def bind_call(self, call: Any, context: Context[Any]) -> Callable[[], Any]:
        fn: Callable[..., Any] = self.fn
        named: dict[str, Any] = dict.fromkeys(self._contexts, context)
        value = self.value_of(call)
        if self._value.kind is self._value.POSITIONAL_ONLY:
            return partial(fn, value, **named)
        return partial(fn, **named, **{self._value.name: value})


class CustomTool(_ValueTool[_P, _R]):
    """A function of free text: code, SQL, a language of your own. It gets the text that the model wrote.

    Args:
        fn: a function or coroutine function of one `str`. A parameter of the type `tools.Context` gets the context.
        name, description: for the model; those of the function.
        format: what the text must be, such as `lark_grammar(...)` or `regex_grammar(...)`; any text by default.
        timeout, max_in_flight, needs_approval, pure, start, on_restart: as of `Tool`.

    Raises: TypeError, ValueError: as `Tool`.
    """

    call_type: ClassVar[str] = "custom_tool_call"

    def __init__(
        self,
        fn: Callable[_P, _R],
        *,
        name: str | None = None,
        description: str | None = None,
        format: Mapping[str, Any] | None = None,
        timeout: float | timedelta | None = None,
        max_in_flight: int | None = None,
        needs_approval: bool = False,
        pure: bool = False,
        start: Start | None = None,
        on_restart: OnRestart | None = None,
    ) -> None:
        super().__init__(
            fn,
            tool_name(name, fn),
            timeout=timeout,
            max_in_flight=max_in_flight,
            needs_approval=needs_approval,
            pure=pure,
            start=start,
            on_restart=on_restart,
        )
        text = read_docstring(annotated_function(fn).__doc__).text
        self.description = text if description is None else description
        self.format = None if format is None else {**format}

    @property
    def definition(self) -> dict[str, Any]:
        fields = {"description": self.description, "format": self.format}
        return {"type": "custom", "name": self.name} | {name: value for name, value in fields.items() if value}

    def value_of(self, call: Any) -> str:
        return str(call.input)

    def output_item(self, call: Any, result: Any) -> dict[str, Any]:
        return answer_item(call, output=output_of(result))

    def error_item(self, call: Any, text: str, error: Exception) -> dict[str, Any] | None:
        return answer_item(call, output=text)


def lark_grammar(definition: str) -> dict[str, Any]:
    """The `format` of a `CustomTool` whose text follows a grammar of Lark."""
    return _grammar("lark", definition)


def regex_grammar(pattern: str) -> dict[str, Any]:
    """The `format` of a `CustomTool` whose text matches a pattern of Rust's `regex`."""
    return _grammar("regex", pattern)


def _grammar(syntax: Literal["lark", "regex"], definition: str) -> dict[str, Any]:
    return {"type": "grammar", "syntax": syntax, "definition": definition}


class ShellTool(_ValueTool[_P, _R]):
    """Your own shell. Its function gets a `ShellAction`: the commands, and their limits.

    It returns a `CommandResult` for each command, one alone, or a `str` as what was printed. A shell in a container of
    the server is `{"type": "shell", ...}` in `tools`: its calls are answered by the server.

    Args:
        environment: with `type` "local": what the request says of it.
        timeout, max_in_flight, needs_approval, on_restart: as of `Tool`.

    Raises: TypeError, ValueError: as `Tool`; `environment` is not a local one.
    """

    call_type: ClassVar[str] = "shell_call"

    def __init__(
        self,
        fn: Callable[_P, _R],
        *,
        environment: Mapping[str, Any] = _LOCAL,
        timeout: float | timedelta | None = None,
        max_in_flight: int | None = None,
        needs_approval: bool = False,
        on_restart: OnRestart | None = None,
    ) -> None:
        super().__init__(
            fn,
            "shell",
            timeout=timeout,
            max_in_flight=max_in_flight,
            needs_approval=needs_approval,
            on_restart=on_restart,
        )
        if environment.get("type") != "local":
            raise ValueError(
                f'shell: expected an environment of type "local", got {environment!r}: the server runs others itself, '
                'so write {"type": "shell", "environment": ...} instead'
            )
        self.environment = {**environment}

    @property
    def definition(self) -> dict[str, Any]:
        return {"type": "shell", "environment": self.environment}

    def value_of(self, call: Any) -> ShellAction:
        action: ShellAction = call.item.action or ShellAction()
        return action if action.commands == call.commands else action.model_copy(update={"commands": call.commands})

    def arguments_of(self, call: Any) -> str:
        return self.value_of(call).model_dump_json()

    def output_item(self, call: Any, result: Any) -> dict[str, Any]:
        results: Sequence[Any] = cast("Sequence[Any]", result) if isinstance(result, list | tuple) else [result]
        longest = None if call.item.action is None else call.item.action.max_output_length
        limit = {} if longest is None else {"max_output_length": longest}
        return answer_item(call, output=[_command_result(each).part() for each in results], **limit)

    def error_item(self, call: Any, text: str, error: Exception) -> dict[str, Any] | None:
        return self.output_item(call, CommandResult(stderr=text, exit_code=1, timed_out=is_timeout(error)))


def _command_result(value: Any) -> CommandResult:
    if isinstance(value, str):
        return CommandResult(value)
    if not isinstance(value, CommandResult):
        raise TypeError(f"expected a CommandResult or a text for each command, got {type(value).__name__}")
    return value


class LocalShellTool(_ValueTool[_P, _R]):
    """Your own shell, older form (`local_shell`). Its function gets a `LocalShellAction`, and returns the output.

    Args: timeout, max_in_flight, needs_approval, on_restart: as of `Tool`.
    Raises: TypeError, ValueError: as `Tool`.
    """

    call_type: ClassVar[str] = "local_shell_call"

    def __init__(
        self,
        fn: Callable[_P, _R],
        *,
        timeout: float | timedelta | None = None,
        max_in_flight: int | None = None,
        needs_approval: bool = False,
        on_restart: OnRestart | None = None,
    ) -> None:
        super().__init__(
            fn,
            "local_shell",
            timeout=timeout,
            max_in_flight=max_in_flight,
            needs_approval=needs_approval,
            on_restart=on_restart,
        )

    @property
    def definition(self) -> dict[str, Any]:
        return {"type": "local_shell"}

    def value_of(self, call: Any) -> LocalShellAction:
        try:
            action = LocalShellAction.model_validate(call.item.action or {})
        except ValidationError as error:
            raise ToolError(f"cannot read the action of local_shell: {error.errors()[0]['msg']}") from None
        if not action.command:
            raise ToolError("expected a command in the call of local_shell, got none")
        return action

    def arguments_of(self, call: Any) -> str:
        return to_json(call.item.action or {}).decode()

    def output_item(self, call: Any, result: Any) -> dict[str, Any]:
        if isinstance(result, CommandResult):
            result = result.part()
        output = output_of(result)
        if not isinstance(output, str):
            raise TypeError("expected a text or JSON as the output of local_shell, got images or files")
        return answer_item(call, id=call.call_id, output=output)  # its specification requires both ids

    def error_item(self, call: Any, text: str, error: Exception) -> dict[str, Any] | None:
        return self.output_item(call, text)


class ApplyPatchTool(_ValueTool[_P, _R]):
    """Create, update and delete files by patches. Its function gets a `PatchOperation`: `type`, `path` and `diff`.

    What it returns, a `str` or None, is the output of a patch that was applied. If it raises, the patch has failed.

    Args: timeout, max_in_flight, needs_approval, on_restart: as of `Tool`.
    Raises: TypeError, ValueError: as `Tool`.
    """

    call_type: ClassVar[str] = "apply_patch_call"

    def __init__(
        self,
        fn: Callable[_P, _R],
        *,
        timeout: float | timedelta | None = None,
        max_in_flight: int | None = None,
        needs_approval: bool = False,
        on_restart: OnRestart | None = None,
    ) -> None:
        super().__init__(
            fn,
            "apply_patch",
            timeout=timeout,
            max_in_flight=max_in_flight,
            needs_approval=needs_approval,
            on_restart=on_restart,
        )

    @property
    def definition(self) -> dict[str, Any]:
        return {"type": "apply_patch"}

    def value_of(self, call: Any) -> PatchOperation:
        operation = self._operation_of(call)
        if operation.type not in _OPERATIONS or not operation.path:
            raise ToolError(f"expected one of {', '.join(_OPERATIONS)} and a path, got {operation.model_dump_json()}")
        return operation

    def arguments_of(self, call: Any) -> str:
        return self._operation_of(call).model_dump_json()

    def _operation_of(self, call: Any) -> PatchOperation:
        operation: PatchOperation = call.item.operation or PatchOperation()
        if operation.diff or not call.input:
            return operation
        return operation.model_copy(update={"diff": call.input})  # some servers leave it out at the end

    def output_item(self, call: Any, result: Any) -> dict[str, Any]:
        if not isinstance(result, str | None):
            raise TypeError(f"expected a text or None as the output of apply_patch, got {type(result).__name__}")
        output = {} if result is None else {"output": result}
        return answer_item(call, status="completed", **output)

    def error_item(self, call: Any, text: str, error: Exception) -> dict[str, Any] | None:
        return answer_item(call, status="failed", output=text)


class ComputerTool(_ValueTool[_P, _R]):
    """A computer that the model uses. Its function gets the `ComputerCallItem`, acts, and returns an `Image`.

    A call with `pending_safety_checks` needs approval; approving it acknowledges them. The API has no answer but a
    screenshot: if the call fails or is refused, the run errors.

    Args:
        definition: the entry of the request, such as `{"type": "computer_use_preview", ...}`.
        timeout, max_in_flight, needs_approval, on_restart: as of `Tool`.

    Raises: TypeError, ValueError: as `Tool`.
    """

    call_type: ClassVar[str] = "computer_call"

    def __init__(
        self,
        fn: Callable[_P, _R],
        *,
        definition: Mapping[str, Any] | None = None,
        timeout: float | timedelta | None = None,
        max_in_flight: int | None = None,
        needs_approval: bool = False,
        on_restart: OnRestart | None = None,
    ) -> None:
        super().__init__(
            fn,
            "computer",
            timeout=timeout,
            max_in_flight=max_in_flight,
            needs_approval=needs_approval,
            on_restart=on_restart,
        )
        self._definition = {"type": "computer"} if definition is None else {**definition}

    @property
    def definition(self) -> dict[str, Any]:
        return self._definition

    def asks_first(self, call: Any) -> bool:
        return self.needs_approval or bool(call.item.pending_safety_checks)

    def value_of(self, call: Any) -> ComputerCallItem:
        item: ComputerCallItem = call.item
        return item

    def output_item(self, call: Any, result: Any) -> dict[str, Any]:
        if not isinstance(result, Image):
            raise TypeError(f"expected an Image as the screenshot of a computer, got {type(result).__name__}")
        sources = {name: value for name, value in result.part().items() if name in ("image_url", "file_id")}
        checks = call.item.pending_safety_checks
        acknowledged = {"acknowledged_safety_checks": checks} if checks else {}
        return answer_item(call, output={"type": "computer_screenshot", **sources}, **acknowledged)

    def error_item(self, call: Any, text: str, error: Exception) -> dict[str, Any] | None:
        return None


def is_timeout(error: Exception) -> bool:
    """Whether a call failed because it took too long."""
    return isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError)
