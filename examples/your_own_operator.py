"""An operator of your own: state in a small class without Rx, made into an operator by `lift`.

python examples/your_own_operator.py            a server on this machine answers: no key, no network
python examples/your_own_operator.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys
from collections.abc import Iterable

from reactivex import compose

import rxstream
from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.testing import LocalServer
from rxstream.typing import Operator


class Paragraphs:
    """Joins lines until an empty one ends the paragraph. Each subscription gets its own."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def feed(self, line: str) -> Iterable[str]:
        if line.strip():
            self._lines.append(line.strip())
            return ()
        return self.finish()

    def finish(self) -> Iterable[str]:
        lines, self._lines = self._lines, []
        return [" ".join(lines)] if lines else ()


def paragraphs() -> Operator[StreamingEvent, str]:
    """Emit each paragraph of the answer as soon as it is whole."""
    return compose(rxs.lines(), rxs.lift(Paragraphs))


def main(session: rxstream.Session) -> None:
    answer = session.response(model="gpt-4o-mini", input="Two short paragraphs on rivers.")
    for number, paragraph in enumerate(rxstream.iterate(answer.pipe(paragraphs())), 1):
        print(f"{number}. {paragraph}", flush=True)


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live)
    else:
        text = "A river begins\nas a spring.\n\nIt ends\nin the sea."
        with LocalServer([text], pace=40) as server, rxstream.Session("none", base_url=server.base_url) as local:
            main(local)
