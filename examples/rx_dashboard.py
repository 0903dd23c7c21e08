"""In a code base that is Rx already: several models at once, and a stop signal, become one stream of states.

python examples/rx_dashboard.py            a server on this machine answers: no key, no network
python examples/rx_dashboard.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys

import reactivex
from reactivex import Observable
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers

State = dict[str, str]


def states_of(session: rxstream.Session, model: str) -> Observable[State]:
    """What one model has written so far. A model that fails ends no other."""
    texts = session.response(model=model, input="Count to ten, in words.").pipe(rxs.accumulate_text())
    failed = ops.catch(lambda error, _: reactivex.of(type(error).__name__))
    return texts.map(lambda so_far: so_far.text).pipe(failed).map(lambda text: {model: text})


def joined(state: State, change: State) -> State:
    return {**state, **change}


def dashboard(session: rxstream.Session, models: list[str], stop: Observable[object]) -> Observable[State]:
    return reactivex.merge(*(states_of(session, model) for model in models)).pipe(
        ops.scan(joined),
        ops.take_until(stop),  # disposes what still runs, and closes its connection
        ops.sample(0.2, scheduler=session.scheduler),  # five a second, however many changes
    )


def show(state: State) -> None:
    print(*(f"{model}: {text[-30:]:<30}" for model, text in state.items()), sep="   ")


def main(session: rxstream.Session, models: list[str]) -> None:
    stop = reactivex.timer(1.3, scheduler=session.scheduler)  # or a Subject that your key handler calls
    dashboard(session, models, stop).subscribe(show)


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live, ["gpt-4o-mini", "gpt-4o"])
    else:
        cut = answers.truncated(answers.text("one two three"), 6)
        said = {"whole": answers.text("one two three four five six seven eight nine ten"), "cut": cut}
        with (
            LocalServer([lambda request: said[request["model"]]], pace=12) as server,
            rxstream.Session("none", base_url=server.base_url) as local,
        ):
            main(local, [*said])
