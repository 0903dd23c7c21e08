"""Every async test runs on asyncio and on trio."""

import gc

import pytest


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


def pytest_collection_finish() -> None:
    """Keep the tests themselves out of the garbage collector's sight: `gc.collect()` in a test then costs little."""
    gc.collect()
    gc.freeze()
