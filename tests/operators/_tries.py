"""Events and sources of the tests of resilience."""

import reactivex

from rxstream.testing import VirtualClock
from tests.event_builders import created, make_event, text_delta

CREATED = created()
TEXT = text_delta("a", sequence_number=7)
REASONING = make_event("response.reasoning_text.delta", sequence_number=5, delta="hm")
REFUSAL = make_event("response.refusal.delta", delta="no")


class Tries:
    """A source whose subscriptions play one script each; the last one plays for all that follow."""

    def __init__(self, *scripts: object) -> None:
        self.scripts = list(scripts)
        self.at: list[float] = []

    def on(self, clock: VirtualClock):
        def subscribe(observer, scheduler=None):
            self.at.append(clock.now)
            script = self.scripts[min(len(self.at), len(self.scripts)) - 1]
            for value in script if isinstance(script, list) else [script]:
                if isinstance(value, Exception):
                    observer.on_error(value)
                else:
                    observer.on_next(value)
            if isinstance(script, list) and not isinstance(script[-1], Exception):
                observer.on_completed()

        return reactivex.create(subscribe)
