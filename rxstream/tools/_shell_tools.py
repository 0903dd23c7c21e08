"""Shells of the app that the model uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, ParamSpec, cast

from pydantic import Field, ValidationError
from pydantic_core import to_json
from typing_extensions import TypeVar

from rxstream.errors import ToolError
from rxstream.events import ShellAction
from rxstream.events._base import Model
from rxstream.tools._client_tool import OnRestart, answer_item
from rxstream.tools._output import output_of
from rxstream.tools._value_tool import EffectTool

_P = ParamSpec("_P")
_R = TypeVar("_R", default=Any)

_LOCAL = {"type": "local"}


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


class ShellTool(EffectTool[_P, _R]):
    """Your own shell. Its function gets a `ShellAction`: the commands, and their limits.

    It returns a `CommandResult` for each command, one alone, or a `str` as what was printed. A shell in a container of
    the server is `{"type": "shell", ...}` in `tools`: its calls are answered by the server.

    Args:
        environment: with `type` "local": what the request says of it.
        timeout, max_in_flight, needs_approval, on_restart: as of `Tool`.

    Raises: TypeError, ValueError: as `Tool`; `environment` is not a local one.
    """

    call_type: ClassVar[str] = "shell_call"
    tool_name: ClassVar[str] = "shell"

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
            fn, timeout=timeout, max_in_flight=max_in_flight, needs_approval=needs_approval, on_restart=on_restart
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
        return self.output_item(call, CommandResult(stderr=text, exit_code=1, timed_out=_is_timeout(error)))


def _command_result(value: Any) -> CommandResult:
    if isinstance(value, str):
        return CommandResult(value)
    if not isinstance(value, CommandResult):
        raise TypeError(f"expected a CommandResult or a text for each command, got {type(value).__name__}")
    return value


class LocalShellTool(EffectTool[_P, _R]):
    """Your own shell, older form (`local_shell`). Its function gets a `LocalShellAction`, and returns the output.

    Args: timeout, max_in_flight, needs_approval, on_restart: as of `Tool`.
    Raises: TypeError, ValueError: as `Tool`.
    """

    call_type: ClassVar[str] = "local_shell_call"
    tool_name: ClassVar[str] = "local_shell"

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


def _is_timeout(error: Exception) -> bool:
    """Whether a call failed because it took too long."""
    return isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError)
