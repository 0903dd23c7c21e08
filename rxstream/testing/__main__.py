"""`python -m rxstream.testing`: a Responses API on your own machine, to try programs with."""

import sys
import threading
from collections.abc import Mapping
from typing import Any

from rxstream.testing import LocalServer
from rxstream.testing._sample_answer import sample_answer
from rxstream.testing.answers import Answer

ANSWER = "Double bubble bath, double bubble bath! I am a server on your own machine. I know nothing else to say."


def _answer(request: Mapping[str, Any]) -> Answer:
    return sample_answer(request, ANSWER)


def main() -> int:
    """Serve until Ctrl-C; print how to use the server."""
    with LocalServer([_answer], pace=30, patience=3600) as server:
        print("A Responses API server runs here until you press Ctrl-C. In another terminal:\n")
        print(f"    export OPENAI_BASE_URL={server.base_url}\n", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
