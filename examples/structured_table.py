"""A table that fills row by row: each row is checked and shown the moment that it is whole.

python examples/structured_table.py            a server on this machine answers: no key, no network
python examples/structured_table.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys

from pydantic import BaseModel, ConfigDict

import rxstream
from rxstream import operators as rxs
from rxstream.errors import OutputError, ResponseError
from rxstream.testing import LocalServer, answers


class River(BaseModel):
    model_config = ConfigDict(extra="forbid")  # the API's strict mode wants additionalProperties: false
    name: str
    country: str
    kilometres: int


class Rivers(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rivers: list[River]


SHAPE = {"type": "json_schema", "name": "rivers", "strict": True, "schema": Rivers.model_json_schema()}
ROWS = [("Loire", "France", 1006), ("Vistula", "Poland", 1047), ("Tagus", "Spain", 1007)]


def main(session: rxstream.Session) -> None:
    answer = session.response(model="gpt-4o-mini", input="Three rivers of Europe.", text={"format": SHAPE})
    print(f"{'river':<12}{'country':<12}{'km':>8}")
    try:
        for river in rxstream.iterate(answer.pipe(rxs.json_items("rivers[*]", River))):
            print(f"{river.name:<12}{river.country:<12}{river.kilometres:>8}", flush=True)
    except (OutputError, ResponseError) as error:  # a row that does not fit, a refusal, an answer that was cut
        print(f"The table ends here: {error}", file=sys.stderr)


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live)
    else:
        table = {"rivers": [{"name": name, "country": country, "kilometres": km} for name, country, km in ROWS]}
        with (
            LocalServer([answers.structured(table)], pace=40) as server,
            rxstream.Session("none", base_url=server.base_url) as local,
        ):
            main(local)
