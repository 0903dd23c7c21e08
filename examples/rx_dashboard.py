"""In a code base that is Rx already: several models at once, a clock and a stop signal become one stream of states.

python examples/rx_dashboard.py            a server on this machine answers: no key, no network
python examples/rx_dashboard.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys
from collections.abc import Callable

import reactivex
from reactivex import Observable
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer

State = dict[str, str]
Change = Callable[[State], State]


def answer(session: rxstream.Session, model: str) -> Observable[Change]:
    """What one model says, as changes of the state. A model that fails harms no other."""

    def set_text(text: str) -> Change:
        return lambda state: {**state, model: text}

    events = session.response(model=model, input="Count to ten, in words.")
    texts = events.pipe(rxs.accumulate_text()).map(lambda so_far: so_far.text)
    return texts.pipe(ops.catch(lambda error, _: reactivex.of(f"({error})")), ops.map(set_text))


def set_seconds(tick: int) -> Change:
    return lambda state: {**state, "seconds": f"{(tick + 1) / 10:.1f}"}


def apply(state: State, change: Change) -> State:
    return change(state)


def dashboard(session: rxstream.Session, models: list[str], stop: Observable[object]) -> Observable[State]:
    def with_clock(changes: Observable[Change]) -> Observable[Change]:
        clock = reactivex.interval(0.1, scheduler=session.scheduler).pipe(
            ops.take_until(changes.pipe(ops.last_or_default())),  # a clock that runs on would keep the session open
            ops.map(set_seconds),
        )
        return reactivex.merge(changes, clock)

    return reactivex.merge(*(answer(session, model) for model in models)).pipe(
        ops.publish(with_clock),
        ops.scan(apply, {"seconds": "0.0"}),
        ops.take_until(stop),  # disposes whatever still runs, and closes its connection
        ops.sample(0.2, scheduler=session.scheduler),  # five renders a second, however many changes
    )


def show(state: State) -> None:
    columns = [f"{name}: {said[-24:]:<24}" for name, said in state.items() if name != "seconds"]
    print(f"{state['seconds']} s", *columns, sep="   ")


def main(session: rxstream.Session, models: list[str]) -> None:
    stop = reactivex.timer(20.0, scheduler=session.scheduler)  # or a Subject that your key handler calls
    dashboard(session, models, stop).subscribe(show)


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live, ["gpt-4o-mini", "gpt-4o"])
    else:
        said = {"quick": "one two three four five six seven eight nine ten", "cut": "one, two, and so on"}
        with (
            LocalServer([lambda request: said[request["model"]]], pace=12) as server,
            rxstream.Session("none", base_url=server.base_url) as local,
        ):
            main(local, list(said))
