"""Reads a row of tokens into events of the wire, remembering what was said."""

from dataclasses import dataclass, field

from rxstream.testing.answers._answer import JsonObject, ReceivedRequest
from rxstream.testing.answers._items import blank_response, text_part
from rxstream.testing.marbles._alphabet import KIND_OF_ITEM, LANES, Lane, Shown, read

_PREFIX_OF_ITEM = {"message": "msg", "function_call": "fc", "reasoning": "rs"}


@dataclass(slots=True)
class _Item:
    """One output item, as far as a row has told of it."""

    index: int
    kind: str = "message"
    name: str = "look"
    texts: dict[tuple[str, int], list[str]] = field(default_factory=dict[tuple[str, int], list[str]])
    annotations: list[JsonObject] = field(default_factory=list[JsonObject])

    @property
    def item_id(self) -> str:
        return f"{_PREFIX_OF_ITEM.get(self.kind, 'item')}_{self.index}"

    def text(self, kind: str, part: int) -> str:
        return "".join(self.texts.get((kind, part), ()))

    def part(self, number: int, *, empty: bool = False) -> JsonObject:
        for kind, place in self.texts:
            if place == number and kind == "r":
                return {"type": "refusal", "refusal": "" if empty else self.text("r", number)}
            if place == number and kind == "t":
                return {"type": "reasoning_text", "text": "" if empty else self.text("t", number)}
        return text_part("") if empty else text_part(self.text("", number), self.annotations)

    def whole(self, status: str) -> JsonObject:
        base: JsonObject = {"id": self.item_id, "type": self.kind, "status": status}
        if self.kind == "reasoning":
            summary = [
                {"type": "summary_text", "text": "".join(texts)} for (k, _), texts in self.texts.items() if k == "s"
            ]
            return {"id": self.item_id, "type": "reasoning", "summary": summary}
        if kind := KIND_OF_ITEM.get(self.kind):
            said = {LANES[kind].says: self.text(kind, 0)}
            return {**base, **said, "call_id": f"call_{self.index}", "name": self.name}
        parts = [self.part(number) for number in sorted({place for _, place in self.texts})]
        return {**base, "role": "assistant", "content": parts}


class Speaker:
    """Reads the tokens of one row, in order, into events of the wire."""

    def __init__(self, asked: ReceivedRequest | None = None) -> None:
        self._response = blank_response(asked or ReceivedRequest())
        self._items: dict[int, _Item] = {}
        self._number = 0

    def say(self, token: str) -> JsonObject:
        """The event a token stands for."""
        shown = read(token)
        return self.number(self._capital(shown) if shown.letter.isupper() else self._delta(shown))

    def number(self, event: JsonObject) -> JsonObject:
        """Give an event its place in the row."""
        self._number += 1
        return {"type": event["type"], "sequence_number": self._number - 1, **event}

    def _delta(self, shown: Shown) -> JsonObject:
        lane, says = LANES[shown.letter], shown.says or ""
        item = self._item(shown.index, lane.item)
        item.texts.setdefault((shown.letter, shown.part), []).append(says)
        event: JsonObject = {"type": lane.delta, **self._at(item, lane, shown.part), "delta": says}
        return {**event, "logprobs": []} if shown.letter == "" else event

    def _capital(self, shown: Shown) -> JsonObject:
        event = self._event(shown)
        return {**event, "synthetic": True} if shown.synthetic else event

    def _event(self, shown: Shown) -> JsonObject:
        letter, index, says = shown.letter, shown.index, shown.says
        match letter:
            case "C" | "P" | "Q":
                name = {"C": "created", "P": "in_progress", "Q": "queued"}[letter]
                status = "queued" if letter == "Q" else "in_progress"
                return {"type": f"response.{name}", "response": {**self._response, "status": status}}
            case "K":
                return {"type": "response.completed", "response": self._whole("completed")}
            case "N":
                details = {"incomplete_details": {"reason": says or "max_output_tokens"}}
                return {"type": "response.incomplete", "response": {**self._whole("incomplete"), **details}}
            case "X":
                error = {"error": {"code": says or "server_error", "message": "The response failed."}}
                return {"type": "response.failed", "response": {**self._whole("failed"), **error}}
            case "W":
                error = {"type": "server_error", "code": says or "server_error", "message": "Something went wrong."}
                return {"type": "error", "error": {**error, "param": None}}
            case "H":
                return {"type": "keepalive"}
            case "U":
                return {"type": says or "acme:unknown", "output_index": index, "acme": True}
            case "M" | "F" | "R":
                kind = {"M": "message", "F": "function_call", "R": "reasoning"}[letter]
                item = self._items[index] = _Item(index, kind, says or "look")
                return {"type": "response.output_item.added", "output_index": index, "item": item.whole("in_progress")}
            case _:
                return self._in_item(shown)

    def _in_item(self, shown: Shown) -> JsonObject:
        letter, says = shown.letter, shown.says
        item = self._item(shown.index, "message")
        at: JsonObject = {"item_id": item.item_id, "output_index": item.index, "content_index": shown.part}
        if letter == "I":
            return {"type": "response.output_item.done", "output_index": item.index, "item": item.whole("completed")}
        if letter in "BE" and item.kind == "reasoning" and ("t", shown.part) not in item.texts:
            name = "response.reasoning_summary_part." + ("added" if letter == "B" else "done")
            part = {"type": "summary_text", "text": "" if letter == "B" else item.text("s", shown.part)}
            place = {"output_index": item.index, "summary_index": shown.part}
            return {"type": name, "item_id": item.item_id, **place, "part": part}
        if letter == "B":
            return {"type": "response.content_part.added", **at, "part": item.part(shown.part, empty=True)}
        if letter == "E":
            return {"type": "response.content_part.done", **at, "part": item.part(shown.part)}
        if letter == "A":
            citation = {"type": "url_citation", "url": "https://example.org", "title": says or "a page"}
            note = {**citation, "start_index": 0, "end_index": len(item.text("", shown.part))}
            item.annotations.append(note)
            number = len(item.annotations) - 1
            name = "response.output_text.annotation.added"
            return {"type": name, **at, "annotation_index": number, "annotation": note}
        kind = next((kind for kind, part in item.texts if part == shown.part), KIND_OF_ITEM.get(item.kind, ""))
        if says is not None:
            item.texts[kind, shown.part] = [says]
        lane = LANES[kind]
        done: JsonObject = {
            "type": lane.done,
            **self._at(item, lane, shown.part),
            lane.says: item.text(kind, shown.part),
        }
        return {**done, "logprobs": []} if kind == "" else done

    def _item(self, index: int, kind: str) -> _Item:
        return self._items.setdefault(index, _Item(index, kind))

    def _at(self, item: _Item, lane: Lane, part: int) -> JsonObject:
        place = {lane.place: part} if lane.place else {}
        return {"item_id": item.item_id, "output_index": item.index, **place}

    def _whole(self, status: str) -> JsonObject:
        output = [self._items[index].whole(status) for index in sorted(self._items)]
        said = sum(len(texts) for item in self._items.values() for texts in item.texts.values())
        usage = {
            "input_tokens": 1,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 1 + said,
        }
        return {**self._response, "status": status, "output": output, "usage": usage}
