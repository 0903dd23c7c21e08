"""The picture of every operator is true."""

import pytest

from rxstream.testing import check_marbles
from tests.laws._operators import OPERATORS
from tests.laws._virtual import NAMES, in_virtual_session


@pytest.mark.parametrize("name", OPERATORS)
def test_the_picture_of_the_operator_is_true(name: str):
    check_marbles(in_virtual_session(OPERATORS[name]), names=NAMES)
