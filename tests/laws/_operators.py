"""Every operator there is, found in the shop window itself."""

from collections.abc import Callable
from inspect import isfunction
from typing import Any

from rxstream import operators
from rxstream.typing import Operator

NO_OPERATORS = {"lift", "lift_timed"}
"""Functions of `rxstream.operators` that make something else."""

OPERATORS: dict[str, Callable[..., Operator[Any, Any]]] = {
    name: getattr(operators, name)
    for name in operators.__all__
    if isfunction(getattr(operators, name)) and name not in NO_OPERATORS
}
