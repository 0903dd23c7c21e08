"""The tokens of a row to events of the wire."""

from dataclasses import dataclass, field

from rxstream.testing.answers._answer import JsonDict, ReceivedRequest
from rxstream.testing.answers._items import blank_response, text_part
from rxstream.testing.marbles._alphabet import KIND_OF_ITEM, TEXT_KINDS, TextNames, Token, read

_PREFIX_OF_ITEM = {"message": "msg", "function_call": "fc", "reasoning": "rs"}


@dataclass(slots=True)
class _RowItem:
    """One output item, as far as it is in the row."""

    index: int
    kind: str = "message"
    name: str = "look"
    texts: dict[tuple[str, int], list[str]] = field(default_factory=dict[tuple[str, int], list[str]])
    annotations: list[JsonDict] = field(default_factory=list[JsonDict])

    @property
    def item_id(self) -> str:
        return f"{_PREFIX_OF_ITEM.get(self.kind, 'item')}_{self.index}"

    def text(self, kind: str, part: int) -> str:
        return "".join(self.texts.get((kind, part), ()))

    def part(self, number: int, *, empty: bool = False) -> JsonDict:
        for kind, place in self.texts:
            if place == number and kind == "r":
                return {"type": "refusal", "refusal": "" if empty else self.text("r", number)}
            if place == number and kind == "t":
                return {"type": "reasoning_text", "text": "" if empty else self.text("t", number)}
        return text_part("") if empty else text_part(self.text("", number), self.annotations)

    def finished(self, status: str) -> JsonDict:
        base: JsonDict = {"id": self.item_id, "type": self.kind, "status": status}
        if self.kind == "reasoning":
            summary = [
                {"type": "summary_text", "text": "".join(texts)} for (k, _), texts in self.texts.items() if k == "s"
            ]
            return {"id": self.item_id, "type": "reasoning", "summary": summary}
        if kind := KIND_OF_ITEM.get(self.kind):
            text = {TEXT_KINDS[kind].text_field: self.text(kind, 0)}
            return {**base, **text, "call_id": f"call_{self.index}", "name": self.name}
        parts = [self.part(number) for number in sorted({place for _, place in self.texts})]
        return {**base, "role": "assistant", "content": parts}


class RowEncoder:
    """Encodes the tokens of one row, in order. `D`, `E`, `I` and `K` have the texts of the tokens before them."""

    def __init__(self, request: ReceivedRequest | None = None) -> None:
        self._response = blank_response(request or ReceivedRequest())
        self._items: dict[int, _RowItem] = {}
        self._number = 0

    def encode(self, text: str) -> JsonDict:
        """The event that a token stands for."""
        token = read(text)
        return self.number(self._capital(token) if token.letter.isupper() else self._delta(token))

    def number(self, event: JsonDict) -> JsonDict:
        """Give an event its `sequence_number`."""
        self._number += 1
        return {"type": event["type"], "sequence_number": self._number - 1, **event}

    def _delta(self, token: Token) -> JsonDict:
        text_kind, text = TEXT_KINDS[token.letter], token.text or ""
        item = self._item(token.index, text_kind.item)
        item.texts.setdefault((token.letter, token.part), []).append(text)
        event: JsonDict = {"type": text_kind.delta, **self._text_place(item, text_kind, token.part), "delta": text}
        return {**event, "logprobs": []} if token.letter == "" else event

    def _capital(self, token: Token) -> JsonDict:
        event = self._event(token)
        return {**event, "synthetic": True} if token.synthetic else event

    def _event(self, token: Token) -> JsonDict:
        letter, index, text = token.letter, token.index, token.text
        match letter:
            case "C" | "P" | "Q":
                name = {"C": "created", "P": "in_progress", "Q": "queued"}[letter]
                status = "queued" if letter == "Q" else "in_progress"
                return {"type": f"response.{name}", "response": {**self._response, "status": status}}
            case "K":
                return {"type": "response.completed", "response": self._final_response("completed")}
            case "N":
                details = {"incomplete_details": {"reason": text or "max_output_tokens"}}
                return {"type": "response.incomplete", "response": {**self._final_response("incomplete"), **details}}
            case "X":
                error = {"error": {"code": text or "server_error", "message": "The response failed."}}
                return {"type": "response.failed", "response": {**self._final_response("failed"), **error}}
            case "W":
                error = {"type": "server_error", "code": text or "server_error", "message": "Something went wrong."}
                return {"type": "error", "error": {**error, "param": None}}
            case "H":
                return {"type": "keepalive"}
            case "U":
                return {"type": text or "acme:unknown", "output_index": index, "acme": True}
            case "M" | "F" | "R":
                kind = {"M": "message", "F": "function_call", "R": "reasoning"}[letter]
                item = self._items[index] = _RowItem(index, kind, text or "look")
                return {
                    "type": "response.output_item.added",
                    "output_index": index,
                    "item": item.finished("in_progress"),
                }
            case _:
                return self._in_item(token)

    def _in_item(self, token: Token) -> JsonDict:
        letter, text = token.letter, token.text
        item = self._item(token.index, "message")
        place: JsonDict = {"item_id": item.item_id, "output_index": item.index, "content_index": token.part}
        if letter == "I":
            return {"type": "response.output_item.done", "output_index": item.index, "item": item.finished("completed")}
        if letter in "BE" and item.kind == "reasoning" and ("t", token.part) not in item.texts:
            name = "response.reasoning_summary_part." + ("added" if letter == "B" else "done")
            part = {"type": "summary_text", "text": "" if letter == "B" else item.text("s", token.part)}
            place = {"output_index": item.index, "summary_index": token.part}
            return {"type": name, "item_id": item.item_id, **place, "part": part}
        if letter == "B":
            return {"type": "response.content_part.added", **place, "part": item.part(token.part, empty=True)}
        if letter == "E":
            return {"type": "response.content_part.done", **place, "part": item.part(token.part)}
        if letter == "A":
            citation = {"type": "url_citation", "url": "https://example.org", "title": text or "a page"}
            note = {**citation, "start_index": 0, "end_index": len(item.text("", token.part))}
            item.annotations.append(note)
            number = len(item.annotations) - 1
            name = "response.output_text.annotation.added"
            return {"type": name, **place, "annotation_index": number, "annotation": note}
        kind = next((kind for kind, part in item.texts if part == token.part), KIND_OF_ITEM.get(item.kind, ""))
        if text is not None:
            item.texts[kind, token.part] = [text]
        text_kind = TEXT_KINDS[kind]
        done: JsonDict = {
            "type": text_kind.done,
            **self._text_place(item, text_kind, token.part),
            text_kind.text_field: item.text(kind, token.part),
        }
        return {**done, "logprobs": []} if kind == "" else done

    def _item(self, index: int, kind: str) -> _RowItem:
        return self._items.setdefault(index, _RowItem(index, kind))

    def _text_place(self, item: _RowItem, text_kind: TextNames, part: int) -> JsonDict:
        place = {text_kind.place: part} if text_kind.place else {}
        return {"item_id": item.item_id, "output_index": item.index, **place}

    def _final_response(self, status: str) -> JsonDict:
        output = [self._items[index].finished(status) for index in sorted(self._items)]
        deltas = sum(len(texts) for item in self._items.values() for texts in item.texts.values())
        usage = {
            "input_tokens": 1,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": deltas,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 1 + deltas,
        }
        return {**self._response, "status": status, "output": output, "usage": usage}
