"""The legend of a picture: patterns of values, written as Python expressions.

`"ab"` a text · `3`, `True`, `None` · `...` any value · `[1, 2]` · `{"a": 1}` a mapping, or the fields of a model or
dataclass, with at least these entries · `FunctionCall(name="look")` an object of that class with at least these
attributes · `TruncatedError("whole")` an error whose text holds this · `TruncatedError` an object of that class · any
name in `names=`.
"""

import ast
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast


class Pattern:
    """A legend's expression, parsed once."""

    def __init__(self, expression: str, names: Mapping[str, object] | None = None) -> None:
        """Raises `ValueError` if it is not a Python expression."""
        self.expression = expression
        self._names = names or {}
        try:
            self._tree = ast.parse(expression, mode="eval").body
        except SyntaxError:
            raise ValueError(f"a legend must be a Python expression, got {expression}") from None

    def value(self) -> Any:
        """The value, for a source to emit. Raises `ValueError` if the pattern fits more than one value."""
        if isinstance(self._tree, ast.Name) and self._tree.id in self._names:
            return self._names[self._tree.id]
        if isinstance(self._tree, ast.Call | ast.Name):
            call = self._tree if isinstance(self._tree, ast.Call) else ast.Call(self._tree, [], [])
            maker: Any = self._names.get(ast.unparse(call.func))
            if maker is None:
                raise ValueError(f"{ast.unparse(call.func)} is not a known name: pass it in names=")
            keywords = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
            return maker(*map(ast.literal_eval, call.args), **keywords)
        return ast.literal_eval(self._tree)

    def fits(self, value: object) -> bool:
        """Whether the value matches the pattern."""
        return self._fits(self._tree, value)

    def _fits(self, tree: ast.expr, value: Any) -> bool:
        match tree:
            case ast.Constant(value=constant) if constant is ...:
                return True
            case ast.Name(id=name) if name in self._names and not isinstance(self._names[name], type):
                return bool(self._names[name] == value)
            case ast.Name(id=name):
                return _is_a(value, name)
            case ast.Call(func=ast.Name(id=name), args=texts, keywords=attributes):
                return (
                    _is_a(value, name)
                    and all(str(ast.literal_eval(text)) in str(value) for text in texts)
                    and all(
                        hasattr(value, word.arg or "") and self._fits(word.value, getattr(value, word.arg or ""))
                        for word in attributes
                    )
                )
            case ast.List(elts=items) | ast.Tuple(elts=items):
                if not isinstance(value, Sequence) or isinstance(value, str | bytes):
                    return False
                values = list(cast(Sequence[Any], value))
                return len(values) == len(items) and all(map(self._fits, items, values))
            case ast.Dict(keys=keys, values=values):
                fields = _fields(value)
                entries = [(ast.literal_eval(key), item) for key, item in zip(keys, values, strict=True) if key]
                return fields is not None and all(
                    key in fields and self._fits(item, fields[key]) for key, item in entries
                )
            case _:
                expected: object = ast.literal_eval(tree)
                if isinstance(expected, str) and not isinstance(value, str):
                    return str(value) == expected
                return bool(expected == value)


def _is_a(value: object, name: str) -> bool:
    return any(kind.__name__ == name for kind in type(value).__mro__)


def _fields(value: object) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return cast(Mapping[Any, Any], value)
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return cast(Mapping[Any, Any], dump())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None
