"""The file beside, which the type checkers check, names every operator."""

import re
from pathlib import Path

from tests.laws._operators import OPERATORS


def test_the_type_of_every_operator_is_asserted() -> None:
    said = Path(__file__).with_name("operators.py").read_text("utf-8")
    assert set(OPERATORS) - set(re.findall(r"rxs\.(\w+)\(", said)) == set()
