"""JSON of a shape: shown while it is written, acted upon element by element, a validated model at the end.

python examples/structured_output.py            a server on this machine answers: no key, no network
python examples/structured_output.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys

import reactivex
from pydantic import BaseModel
from reactivex import Observable
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.errors import OutputError, ResponseError
from rxstream.events import StreamingEvent
from rxstream.testing import LocalServer, answers


class Step(BaseModel, extra="forbid"):  # the API's strict mode wants additionalProperties: false
    title: str
    minutes: int


class Recipe(BaseModel, extra="forbid"):
    name: str
    steps: list[Step]


SHAPE = {"type": "json_schema", "name": "recipe", "strict": True, "schema": Recipe.model_json_schema()}
SOUP = {"name": "Tomato soup", "steps": [{"title": "Cut", "minutes": 5}, {"title": "Cook", "minutes": 20}]}


def steps_then_recipe(events: Observable[StreamingEvent]) -> Observable[Step | Recipe]:
    steps = events.pipe(rxs.json_items("steps[*]", Step))
    return reactivex.merge(steps, events.pipe(rxs.parse_output(Recipe, partial=False)))


def main(session: rxstream.Session) -> None:
    answer = session.response(model="gpt-4o-mini", input="A recipe for tomato soup.", text={"format": SHAPE})
    try:
        for said in rxstream.iterate(answer.pipe(ops.publish(steps_then_recipe))):
            if isinstance(said, Step):
                print(f"… {said.title}: {said.minutes} minutes", flush=True)  # while the next one is being written
            else:
                print(f"{said.name}: {sum(step.minutes for step in said.steps)} minutes in all")
    except (OutputError, ResponseError) as error:  # no such JSON, a refusal, an answer that was cut
        print(f"No recipe: {error}", file=sys.stderr)


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live)
    else:
        said = answers.structured(SOUP, split=4)
        with LocalServer([said], pace=20) as server, rxstream.Session("none", base_url=server.base_url) as local:
            main(local)
