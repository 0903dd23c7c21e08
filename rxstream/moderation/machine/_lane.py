"""One lane: its text, the stages that check it, and how far the text may be released.

The subscriber has all text before `emitted` in deltas, and all before `shown` in some event: one that repeats the text
may be emitted before the deltas. How far that may be depends on the mode. These rules hold whatever the checks return,
and whenever:

1. In mode `hold` no character at or after `safe` is shown: `safe` is how far the text has passed all stages.
2. In mode `bounded` no character at or after `verified + max_exposure` is shown.
3. No window passes unless its check got all text from `held_back_from` on, in `Window.text` or `Window.context`.
4. The end of a window depends on the text alone, not on its deltas, unless a timer or the end of the lane sets it.
"""

import json
import re
from typing import Any, Final

from rxstream.moderation.machine._boundaries import split_before
from rxstream.moderation.machine._commands import Step
from rxstream.moderation.machine._edits import Edits, apply, source_offset
from rxstream.moderation.machine._lane_windows import LaneWindows
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._stage import Check, Stage
from rxstream.moderation.machine._text import Format
from rxstream.moderation.machine._window import TextPlace

_LONGEST_CLUSTER: Final = 256
"""A longer grapheme cluster is split."""

_JSON_VALUE: Final = re.compile(r"[^\s\[\]{},:]+")


class Lane(LaneWindows):
    """The text of one place, and its checks. See the module."""

    def __init__(
        self,
        place: TextPlace,
        options: Options,
        step: Step,
        format: Format,
        *,
        side: bool = False,
        drops: bool = False,
    ) -> None:
        super().__init__(place, options, step, format)
        self.stages = [Stage(self, number) for number in range(len(options.checks))]
        for stage, following in zip(self.stages, self.stages[1:], strict=False):
            stage.following = following
        self.edits = Edits()
        """The edits of all stages."""
        self.emitted = 0
        """The end of the text that was emitted in deltas."""
        self.shown = 0
        """The end of the text that the subscriber has in any event. Never less than `emitted`."""
        self.wake: float | None = None
        """When it has to be looked at again because time has passed."""
        self.side = side
        """Whether its texts are in no lane of the API. Flagged, they are left out instead of replaced."""
        self.drops = drops
        """Whether flagged text of this lane is left out, whatever `on_flag` says."""
        self.logprobs: list[Any] = []
        """The log probabilities of its deltas, which are emitted without them."""
        self.versions: dict[str, Lane] = {}
        """The lanes of texts that an event has in place of this one, by text."""
        self.item_ids: set[str] = set()
        """The ids of the items that its deltas named."""

    # ------------------------------------------------------------------ text in

    def close(self) -> None:
        """The lane has ended, unless another delta follows."""
        self.end_text()
        for stage in self.stages:
            stage.let_through()

    def end_text(self) -> None:
        """In mode `optimistic` what cannot be decoded yet was released with the rest."""
        all_emitted = self.options.mode == "optimistic" and self.emitted == self.text.length
        super().end_text()
        if all_emitted:
            self.note_emitted(self.text.length)

    # ------------------------------------------------------------------ checks

    @property
    def full(self) -> bool:
        """Whether the next window has all its text."""
        return self.text.length - self.stages[0].windows_end >= self.window_size

    @property
    def idle(self) -> bool:
        """Whether there is no check to start or to wait for."""
        return self.stages[0].windows_end == self.text.length and all(stage.idle for stage in self.stages)

    def due(self) -> float | None:
        """When a window or `limit` will grow because time has passed. None if time changes nothing."""
        first = self.stages[0]
        if self.text.length > first.windows_end:
            return None if first.running >= self.options.in_flight else self.due_window(first.windows_end)
        if self.emitted < self.safe == self.text.length != self.passed_end and not self._step.has_come(
            self.end_of_pause
        ):
            return self.end_of_pause
        return None

    def advance(self) -> list[Check]:
        """Move on past the windows that passed. Returns the checks to act on, those of the last stages first."""
        bad = [check for stage in self.stages if (check := stage.advance()) is not None]
        oldest = min(stage.held_back_from for stage in self.stages)
        self.text.forget(min(oldest, self.emitted) - 2 * self.options.context_of(0) - _LONGEST_CLUSTER)
        return bad[::-1]

    def is_pending_after(self, stage: Stage) -> bool:
        """Whether a later stage has not judged all that this one let through."""
        return not all(later.idle or later.needs_text for later in self.stages[stage.number + 1 :])

    def replace(self, check: Check) -> bool | None:
        """Replace the spans of the verdict. False: all are replaced already. None: it has none, or one is released."""
        spans = self._spans(check)
        new_spans = [span for span in spans if not self._edits_after(check).cover(*span[:2])]
        parts = [part for span in new_spans for part in self._parts(*span)]
        if not spans or any(start < self.shown for start, _, _ in (*new_spans, *parts)):
            return None
        for start, end, text in parts:
            self._edit(check.stage, start, end, text)
        return bool(new_spans)

    def drop(self, check: Check) -> None:
        """Leave out the spans of the verdict; without spans, the window and what was held back before it."""
        for start, end, _ in self._spans(check) or [(min(check.start, check.stage.safe), check.end, None)]:
            self._edit(check.stage, start, end, "")
        check.stage.accept(check)

    def _edits_after(self, check: Check) -> Edits:
        """The edits up to those of the stage of a check."""
        following = check.stage.following
        return self.edits if following is None else following.edits

    def _edit(self, stage: Stage, start: int, end: int, text: str) -> None:
        """Edit the text for all stages after this one, and for the subscriber."""
        for later in self.stages[stage.number + 1 :]:
            later.edits.add(start, end, text)
        self.edits.add(start, end, text)

    def _spans(self, check: Check) -> list[tuple[int, int, str | None]]:
        """The spans of the verdict, sorted, as offsets of the lane, each with the replacement that the verdict has."""
        if check.verdict is None or check.window is None:
            return []
        first = check.seen_start
        edits = check.seen.between(first, check.end)
        size = len(check.window.context)
        spans: list[tuple[int, int, str | None]] = []
        replacements = check.verdict.replacements or (None,) * len(check.verdict.spans)
        for (start, end), replacement in sorted(
            zip(check.verdict.spans, replacements, strict=True), key=lambda pair: pair[0]
        ):
            start, end = max(start + size, 0), min(end, len(check.window.text)) + size
            if start < end:
                spans.append(
                    (
                        source_offset(start, first, edits, is_end=False),
                        source_offset(end, first, edits, is_end=True),
                        replacement,
                    )
                )
        return spans

    def _parts(self, start: int, end: int, own: str | None) -> list[tuple[int, int, str]]:
        """What to replace of a span, and by which text: JSON stays JSON.

        The verdict's `own` replacement stands in the first part only, so that it can be put back.
        """
        replacement = self.options.replacement if own is None else own
        if self.text.format is not Format.JSON:
            return [(start, end, replacement)]
        in_strings = _escape(replacement)
        outside = "null" if own is None else f'"{in_strings}"'
        parts: list[tuple[int, int, str]] = []
        for first, last, in_string in self.text.parts_of_span(start, end):
            if in_string:
                parts.append((first, last, in_strings))
            else:
                least = max(first - 64, self.shown)
                for value in _JSON_VALUE.finditer(self.text.slice(least, last + 64)):
                    value_start, value_end = least + value.start(), least + value.end()
                    if value_start < last and value_end > first:
                        parts.append((value_start, min(value_end, self.text.length), outside))
            if own is not None and parts:
                in_strings, outside = "", "null"
        return parts

    # ------------------------------------------------------------------ release

    @property
    def safe(self) -> int:
        """The end of the text that has passed all stages and that no later text can change."""
        return self.stages[-1].safe

    @property
    def verified(self) -> int:
        """The end of the text that has passed all stages."""
        return self.stages[-1].verified

    @property
    def passed_end(self) -> int:
        """The last end of the lane up to which all text passed."""
        return self.stages[-1].passed_end

    @property
    def passed(self) -> bool:
        """Whether the lane has ended and all of it passed."""
        return self.closed_at == self.text.length == self.passed_end

    def note_emitted(self, end: int) -> None:
        """The text up to here was emitted in deltas."""
        self.emitted = end
        self.shown = max(self.shown, end)

    def limit(self) -> int:
        """The offset up to which deltas may be emitted. Never less than `emitted`."""
        length, emitted, mode = self.text.length, self.emitted, self.options.mode
        limit = self.safe
        if mode != "hold":
            ahead = length if mode == "optimistic" else min(length, self.verified + self.options.max_exposure)
            unsafe = [stage.unsafe_from for stage in self.stages if stage.unsafe_from is not None]
            limit = max(limit, min([ahead, *unsafe]))
        if limit <= emitted:
            return emitted
        limit = self.edits.last_outside(limit)
        if limit != self.passed_end and limit > emitted:
            first = max(emitted, limit - _LONGEST_CLUSTER)
            text = self.text.slice(first, min(limit + 1, length))
            ended = mode != "hold" or self._step.has_come(self.end_of_pause)
            limit = first + (
                split_before(text, limit - first, ended=ended) or (limit - first if first > emitted else 0)
            )
        return max(limit, emitted)

    def output(self, start: int, end: int) -> str:
        """The text from `start` to `end` as the subscriber gets it: raw, and edited."""
        return apply(self.text.slice(start, end), start, self.edits.between(start, end), self.text.raw)

    def output_prefix(self, end: int) -> str:
        """The text up to `end` as the subscriber gets it."""
        return apply(self.text.full()[:end], 0, self.edits.between(0, end), self.text.raw)

    def output_offset(self, offset: int) -> int:
        """Where the character at `offset` is in the text that the subscriber gets."""
        if self.text.format is Format.JSON:
            return len(self.output_prefix(offset))
        return self.edits.shifted(offset)

    def kept_end(self) -> int:
        """The end of the text that stays if the lane ends now: it is shown and safe."""
        return self.edits.last_outside(min(self.safe, self.shown))


def _escape(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
