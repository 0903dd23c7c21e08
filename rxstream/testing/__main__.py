"""`python -m rxstream.testing`: a Responses API on your own machine, to try programs with."""

import sys
import threading

from rxstream.testing import LocalServer, answers

ANSWER = "Double bubble bath, double bubble bath! I am a server on your own machine. I know nothing else to say."


def main() -> int:
    """Serve until Ctrl-C; print how to use the server."""
    with LocalServer([answers.text(ANSWER)], pace=30, patience=3600) as server:
        print("A Responses API server runs here until you press Ctrl-C. In another terminal:\n")
        print(f"    export OPENAI_BASE_URL={server.base_url}\n", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
