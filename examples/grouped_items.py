"""An answer of several items that interleave, told apart: each in a column of its own.

python examples/grouped_items.py            a server on this machine answers: no key, no network
python examples/grouped_items.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys

import reactivex
from reactivex import Observable
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.results import EventGroup
from rxstream.testing import LocalServer, answers

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "name": "get_weather", "parameters": CITY}]
WIDTH = 24


def column(group: EventGroup[int]) -> Observable[str]:
    """The deltas of one item, each on a line of its own, shifted to the item's column; then what it has become."""
    margin = " " * (WIDTH * group.key)
    deltas = group.pipe(
        ops.map(lambda event: getattr(event, "delta", None)),
        ops.filter(lambda delta: isinstance(delta, str) and bool(delta)),
        ops.map(lambda delta: f"{margin}{delta}"),
    )

    def ending() -> Observable[str]:
        kind = group.item.type if group.item is not None else "?"
        return group.pipe(ops.count(), ops.map(lambda count: f"{margin}= {kind}, {count} events"))

    # subscribed to a second time, when it is over: a group replays what a late subscriber missed
    return reactivex.concat(deltas, reactivex.defer(lambda _: ending()))


def main(session: rxstream.Session) -> None:
    answer = session.response(model="gpt-4o-mini", input="The weather in Paris and in Oslo?", tools=TOOLS)
    for line in rxstream.iterate(answer.pipe(rxs.group_by_output_index(), ops.flat_map(column))):
        print(line, flush=True)


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live)
    else:
        said = answers.together(
            answers.reasoning_summary("Two places, two calls."),
            answers.text("I look it up."),
            answers.function_calls([("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Oslo"})]),
            interleaved=True,
        )
        with LocalServer([said], pace=20) as server, rxstream.Session("none", base_url=server.base_url) as local:
            main(local)
