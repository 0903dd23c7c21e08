"""How a core becomes an operator, and what Rx for Python lacks."""
