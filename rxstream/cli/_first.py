"""What `rxstream` alone prints."""

from __future__ import annotations

import os


def first() -> int:
    """Print what to try first."""
    address = "that of OPENAI_BASE_URL" if os.environ.get("OPENAI_BASE_URL") else "OpenAI; OPENAI_BASE_URL is not set"
    key = "is set" if os.environ.get("OPENAI_API_KEY") else "is not set"
    print(f"""\
rxstream streams responses of the OpenAI Responses API to the terminal.

Without a key or network:
  rxstream demo                                 a text and two calls, as they arrive
  rxstream demo --tools                         a run with tools
  rxstream demo --moderated                     text that is checked before it is shown

With a server ({address}; OPENAI_API_KEY {key}):
  rxstream stream "Say hello."                  the answer as it arrives
  rxstream stream "Say hello." --save a.tape    and keep the stream
  rxstream replay a.tape --speed 1              see it again
  rxstream inspect a.tape                       what came when
  rxstream stream "What time is it?" --tool clock.py:now

All options: rxstream COMMAND --help. For the shell: rxstream completion bash""")
    return 0
