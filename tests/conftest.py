"""Every async test runs on asyncio and on trio. What every test pays for is paid for once."""

import gc
import os
import ssl
import sys
from collections.abc import Generator, Iterator
from functools import cache

import pytest
from hypothesis import settings

import rxstream
from tests.thinned import tries

settings.register_profile("any machine", deadline=None, max_examples=tries(40, 100))
settings.load_profile("any machine")

for name in rxstream.__all__:
    getattr(rxstream, name)
"""Import all rooms now. Python 3.11 may fail where pytest rewrites modules in two threads at once (gh-106905)."""


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """`-n auto` starts three workers for two cores: for a third of its time a worker waits, as its tests do."""
    workers = yield
    return workers if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else workers + (workers + 1) // 2


def pytest_collection_finish() -> None:
    leave_out_of_garbage_collections()


@pytest.fixture(autouse=True, scope="module")
def what_a_module_leaves() -> Iterator[None]:
    """Events that are kept for other modules, classes of models."""
    yield
    leave_out_of_garbage_collections()


def leave_out_of_garbage_collections() -> None:
    """Let no garbage collection look at what lives now. Hundreds of tests ask for one, and each took up to 2 s."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True, scope="session")
def one_tls_context() -> Iterator[None]:
    """Read the certificates once: each HTTP client would do it again, and that takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


@pytest.fixture(autouse=True, scope="session")
def bytecode_of_other_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compile once what the processes of all tests import, where no bytecode may be written beside the code.

    Each process would compile all of it, and that is a third of the time that it takes.
    """
    with pytest.MonkeyPatch.context() as patch:
        if sys.dont_write_bytecode:
            folder = tmp_path_factory.getbasetemp()
            if "PYTEST_XDIST_WORKER" in os.environ:
                folder = folder.parent  # of all workers
            patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            patch.setenv("PYTHONPYCACHEPREFIX", str(folder / "bytecode"))
        yield
