"""From the data of a Frame to an event: any data is an event or a ProtocolError."""

import json
import threading
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxstream import events as ev
from rxstream.errors import EventError, ProtocolError
from rxstream.events._base import Model
from rxstream.events._parse import _MODELS, prepare
from tests.waiting import BOUND

# No text that reads as a number or a boolean: pydantic converts such text if the field is one.
TEXT = st.text().map("~".__add__)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
HOLDERS: tuple[type[Model], ...] = (*_MODELS.values(), ev.Response, ev.MessageItem)
NAMES = st.sampled_from(
    sorted({field.alias or name for holder in HOLDERS for name, field in holder.model_fields.items()})
)


def delta(text: str, **fields: Any) -> str:
    """An output_text.delta whose text is written as JSON escapes."""
    head = json.dumps({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, **fields})
    return head[:-1] + ',"delta":"' + text + '"}'


class TestDispatch:
    @pytest.mark.parametrize(
        "data",
        [
            '{"type":"response.refusal.delta","delta":"a"}',
            '{"type": "response.refusal.delta", "delta": "a"}',
            '{"delta":"a","type":"response.refusal.delta"}',
            '{ "delta" : "a" , "type" : "response.refusal.delta" }',
            '{"x":{"type":"response.output_text.delta"},"delta":"a","type":"response.refusal.delta"}',
            '{"x":{"type":"error"},"delta":"a","type":"response.refusal.delta"}',
            '{"type":"error","type":"response.refusal.delta","delta":"a"}',
            '\n{"type":"response.refusal.delta","delta":"a"}  ',
            b'{"type":"response.refusal.delta","delta":"a"}',
        ],
    )
    def test_the_type_is_found_anywhere_in_the_object(self, data: str | bytes) -> None:
        event = ev.parse_event(data)
        assert isinstance(event, ev.ResponseRefusalDeltaEvent)
        assert event.delta == "a"

    def test_a_type_inside_the_text_is_text(self) -> None:
        text = '{"type":"error","type":"response.refusal.delta"}'
        event = ev.parse_event(json.dumps({"delta": text, "type": "response.output_text.delta"}))
        assert isinstance(event, ev.ResponseOutputTextDeltaEvent)
        assert event.delta == text

    def test_every_type_is_in_the_union_and_named_by_rule(self) -> None:
        for wire, model in _MODELS.items():
            words = wire.replace(".", "_").split("_")
            assert model.__name__ == "".join(word[:1].upper() + word[1:] for word in words) + "Event"

    def test_many_threads_may_parse_the_first_event(self) -> None:
        from rxstream.events._parse import _Validators

        validators = _Validators()
        text = '{"type":"response.inject.failed","input":[]}'
        types: list[str] = []
        threads = [
            threading.Thread(target=lambda: types.append(validators["response.inject.failed"](text).type))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        assert types == ["response.inject.failed"] * 8

    def test_models_may_be_built_ahead(self) -> None:
        list(prepare())
        assert list(prepare()) == []
        assert ev.ResponseCompletedEvent.__pydantic_complete__


class TestUnknown:
    @pytest.mark.parametrize("kind", ["response.brand_new.delta", "acme:trace", "", "ping", "response.cancelled"])
    def test_an_unknown_type_keeps_all_fields(self, kind: str) -> None:
        data = {"type": kind, "sequence_number": 7, "deep": {"a": [1, None, {"b": 1.5}]}}
        event = ev.parse_event(json.dumps(data))
        assert isinstance(event, ev.UnknownEvent)
        assert (event.type, event.sequence_number, event.error) == (kind, 7, None)
        assert event.data == data
        assert event.model_dump() == data
        assert json.loads(event.model_dump_json()) == data

    @pytest.mark.parametrize(
        "data",
        [
            {"type": "response.output_text.delta"},
            {"type": "response.output_text.delta", "delta": {"a": 1}},
            {"type": "response.output_text.delta", "delta": "a", "output_index": "first"},
            {"type": "response.completed", "response": None},
            {"type": "response.content_part.added", "part": 3},
        ],
    )
    def test_a_payload_that_does_not_fit_is_kept_with_the_reason(self, data: dict[str, Any]) -> None:
        event = ev.parse_event(json.dumps(data))
        assert isinstance(event, ev.UnknownEvent)
        assert event.type == data["type"]
        assert event.error
        assert event.model_dump() == data

    def test_the_reason_does_not_contain_the_text(self) -> None:
        event = ev.parse_event('{"type":"response.output_text.delta","delta":["my secret"]}')
        assert isinstance(event, ev.UnknownEvent)
        assert event.error is not None
        assert "secret" not in event.error
        assert event.error.startswith("delta: ")

    @pytest.mark.parametrize("data", ['{"type":3}', '{"type":null,"a":1}', "{}", '{"a":{"type":"error"}}'])
    def test_no_type_is_an_unknown_type(self, data: str) -> None:
        event = ev.parse_event(data)
        assert isinstance(event, ev.UnknownEvent)
        assert event.type == ""
        assert event.model_dump() == json.loads(data)

    def test_a_null_field_has_its_default(self) -> None:
        data = {"type": "response.output_text.delta", "delta": "a", "item_id": None, "logprobs": None}
        event = ev.parse_event(json.dumps(data))
        assert isinstance(event, ev.ResponseOutputTextDeltaEvent)
        assert (event.item_id, event.logprobs) == ("", [])
        assert event.model_dump() == data


class TestStrict:
    @pytest.mark.parametrize(
        "data",
        [
            {"type": "response.output_text.delta"},
            {"type": "response.output_text.delta", "delta": "a", "item_id": None},
            {"type": "response.output_item.done", "item": {"type": "function_call", "arguments": {}}},
            {"type": "response.output_item.done", "item": {"type": "function_call", "arguments": None}},
            {"type": "response.completed", "response": {"usage": {"input_tokens": "many"}}},
            {
                "type": "response.completed",
                "response": {"output": [{"type": "message", "content": [{"type": "text"}, 3]}]},
            },
            {"type": "response.completed", "response": {"output": [{"type": "message", "content": 3}]}},
        ],
    )
    def test_a_field_that_does_not_fit_is_an_error(self, data: dict[str, Any]) -> None:
        with pytest.raises(EventError) as caught:
            ev.parse_event(json.dumps(data), strict=True)
        assert caught.value.event_type == data["type"]
        assert caught.value.data == json.dumps(data)
        with pytest.raises(EventError):
            ev.EventParser(strict=True).parse(json.dumps(data))
        assert ev.parse_event(json.dumps(data)).type == data["type"]

    def test_the_error_holds_at_most_a_kib(self) -> None:
        with pytest.raises(EventError) as caught:
            ev.parse_event('{"type":"response.output_text.delta","delta":["' + "€" * 5000 + '"]}', strict=True)
        assert len(caught.value.data.encode()) <= 1024
        assert len(str(caught.value)) < 1000

    @pytest.mark.parametrize(
        "data",
        [
            {"type": "acme:trace", "n": 1},
            {"type": "response.output_item.done", "item": {"type": "acme", "n": 1}},
            {"type": "response.output_text.delta", "delta": "a", "brand_new": 1},
        ],
    )
    def test_new_types_and_fields_are_allowed(self, data: dict[str, Any]) -> None:
        assert ev.parse_event(json.dumps(data), strict=True).model_dump() == data


class TestGarbage:
    @pytest.mark.parametrize(
        "data",
        ["", " ", "hello", "<html>", "{", '{"type":"error"', "[1]", "3", "null", '"x"', "true", "[DONE]", "\x00", "{]}"]
        + ['{"a":' * n + "1" + "}" * n for n in (300, 5_000, 200_000)]
        + ["[" * 100_000, '{"a":' + "9" * 5_000 + "}", '{"type":"error","code":' + "9" * 5_000 + "}"]
        + ['{"type":"error","message":"\x00"}', "{'type': 'error'}", '{"type":"error",}', '{"a":"\ud83d"']
        + ["x" * 1_000_000],
        ids=lambda data: repr(data[:20]),
    )
    def test_data_that_is_not_an_object_is_a_protocol_error_with_an_excerpt(self, data: str) -> None:
        for parse in (ev.parse_event, ev.EventParser().parse):
            with pytest.raises(ProtocolError) as caught:
                parse(data)
            assert caught.value.__cause__ is None
            assert len(str(caught.value)) < 1000
            assert repr(data[:20])[:-1] in str(caught.value)
            assert str(caught.value).isprintable()

    @pytest.mark.parametrize("data", [b"", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"\x80"])
    def test_bytes_that_are_not_json_are_a_protocol_error(self, data: bytes) -> None:
        with pytest.raises(ProtocolError):
            ev.parse_event(data)

    def test_invalid_utf8_becomes_replacement_characters(self) -> None:
        event = ev.parse_event(b'{"type":"response.output_text.delta","delta":"a\xffb"}')
        assert isinstance(event, ev.ResponseOutputTextDeltaEvent)
        assert event.delta == "a\ufffdb"

    @pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400, "1e-400", "-0"])
    def test_unusual_numbers_survive_a_dump(self, number: str) -> None:
        event = ev.parse_event('{"type":"acme","n":' + number + "}")
        again = ev.parse_event(event.model_dump_json())
        assert repr(again) == repr(event)

    def test_nan_is_null_in_a_dump(self) -> None:
        event = ev.parse_event('{"type":"acme","n":NaN}')
        assert isinstance(event, ev.UnknownEvent)
        assert str(event.data["n"]) == "nan"
        assert event.model_dump_json() == '{"type":"acme","n":null}'

    def test_text_that_reads_as_a_number_is_accepted_for_a_number(self) -> None:
        event = ev.parse_event('{"type":"response.refusal.delta","delta":"","output_index":"1"}')
        assert isinstance(event, ev.ResponseRefusalDeltaEvent)
        assert event.output_index == 1

    def test_a_huge_index_does_not_fit_or_is_kept(self) -> None:
        event = ev.parse_event('{"type":"response.refusal.delta","delta":"","output_index":' + "9" * 400 + "}")
        assert event.model_dump_json()

    def test_200_levels_are_read_and_dumped(self) -> None:
        text = '{"type":"acme","a":' + "[" * 180 + "]" * 180 + "}"
        assert json.loads(ev.parse_event(text).model_dump_json()) == json.loads(text)
        text = '{"type":"response.refusal.delta","delta":"","a":' + "[" * 180 + "]" * 180 + "}"
        assert json.loads(ev.parse_event(text).model_dump_json()) == json.loads(text)

    @given(st.text(st.characters(exclude_categories=[])) | st.binary())
    def test_anything_is_an_event_or_a_protocol_error(self, data: str | bytes) -> None:
        for parse in (ev.parse_event, ev.EventParser().parse):
            with suppress(ProtocolError):
                parse(data)

    @settings(deadline=None)
    @given(st.sampled_from(sorted(_MODELS)), st.dictionaries(NAMES | st.text(), JSON, max_size=6))
    def test_any_payload_of_a_known_type_is_an_event_that_dumps_what_came(
        self, kind: str, fields: dict[str, Any]
    ) -> None:
        data = {**fields, "type": kind}
        event = ev.parse_event(json.dumps(data))
        assert event.type == kind
        assert json.loads(event.model_dump_json()) == data

    @settings(deadline=None)
    @given(
        st.sampled_from(["message", "function_call", "reasoning", "shell_call", "mcp_call", "acme", "image"]),
        st.dictionaries(NAMES, JSON, max_size=6),
    )
    def test_any_item_in_a_terminal_event_leaves_it_terminal(self, kind: str, fields: dict[str, Any]) -> None:
        data = {"type": "response.completed", "response": {**fields, "output": [{**fields, "type": kind}]}}
        event = ev.parse_event(json.dumps(data))
        assert isinstance(event, ev.ResponseCompletedEvent)
        assert json.loads(event.model_dump_json()) == data


class TestSurrogates:
    @pytest.mark.parametrize(
        ("escaped", "text"),
        [
            (r"\ud83d\ude00", "😀"),
            (r"a\ud83d", "a\ufffd"),
            (r"\ude00b", "\ufffdb"),
            (r"\ude00\ud83d", "\ufffd\ufffd"),
            (r"\ud83d\ud83d\ude00", "\ufffd😀"),
            (r"\uD83Dx\uDE00", "\ufffdx\ufffd"),
            (r"\\ud83d", r"\ud83d"),
        ],
    )
    def test_a_lone_half_becomes_a_replacement_character(self, escaped: str, text: str) -> None:
        event = ev.parse_event(delta(escaped))
        assert isinstance(event, ev.ResponseOutputTextDeltaEvent)
        assert event.delta == text
        assert json.loads(event.model_dump_json())["delta"] == text

    def test_halves_anywhere_else_are_replaced(self) -> None:
        event = ev.parse_event(r'{"type":"acme","\ud83d":["\ude00",{"a":"\ud83d"}],"b":"\ud83d\ude00"}')
        assert event.model_dump() == {"type": "acme", "\ufffd": ["\ufffd", {"a": "\ufffd"}], "b": "😀"}

    def test_a_half_without_an_escape_is_replaced_too(self) -> None:
        event = ev.parse_event('{"type":"response.refusal.delta","delta":"\ud83d"}')
        assert isinstance(event, ev.ResponseRefusalDeltaEvent)
        assert event.delta == "\ufffd"


class TestEventParser:
    def texts(self, *data: str) -> list[str]:
        parser = ev.EventParser()
        return [getattr(parser.parse(one), "delta", "-") for one in data]

    def test_joins_a_pair_that_was_split_over_two_deltas(self) -> None:
        assert self.texts(delta(r"a\ud83d"), delta(r"\ude00b"), delta("c")) == ["a", "😀b", "c"]

    def test_joins_pair_after_pair(self) -> None:
        split = [delta(r"\ud83d"), delta(r"\ude00\ud83d"), delta(r"\ude01\ud83d"), delta(r"\ude02")]
        assert self.texts(*split) == ["", "😀", "😁", "😂"]

    def test_a_half_without_the_other_is_replaced_in_the_next_delta(self) -> None:
        assert self.texts(delta(r"a\ud83d"), delta("b"), delta("c")) == ["a", "\ufffdb", "c"]

    def test_lanes_do_not_mix(self) -> None:
        first, second = {"output_index": 0, "content_index": 1}, {"output_index": 1, "content_index": 0}
        assert self.texts(
            delta(r"\ud83d", **first),
            delta(r"x\ud83d", **second),
            '{"type":"keepalive"}',
            delta(r"\ude01", **second),
            delta(r"\ude00", **first),
        ) == ["", "x", "-", "😁", "😀"]

    def test_a_lane_is_its_place_not_its_id(self) -> None:
        assert self.texts(delta(r"\ud83d", item_id="a"), delta(r"\ude00", item_id="b")) == ["", "😀"]

    def test_without_a_place_the_id_is_the_lane(self) -> None:
        head = '{"type":"response.output_text.delta","delta":"'
        assert self.texts(
            head + r'\ud83d","item_id":"a"}', head + r'\ude00","item_id":"b"}', head + r'\ude00","item_id":"a"}'
        ) == ["", "\ufffd", "😀"]

    def test_a_half_before_a_line_end_is_not_at_the_end(self) -> None:
        assert self.texts(delta(r"\ud83d\n"), delta(r"\ude00")) == ["\ufffd\n", "\ufffd"]

    def test_a_half_is_dropped_at_the_end_of_its_lane(self) -> None:
        parser = ev.EventParser()
        parser.parse(delta(r"a\ud83d", content_index=0))
        parser.parse('{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"a"}')
        assert not parser.halves

    def test_a_half_is_not_put_before_the_text_of_the_done_event(self) -> None:
        parser = ev.EventParser()
        parser.parse(delta(r"a\ud83d"))
        event = parser.parse(r'{"type":"response.output_text.done","text":"a\ud83d\ude00"}')
        assert isinstance(event, ev.ResponseOutputTextDoneEvent)
        assert event.text == "a😀"

    def test_the_number_of_halves_is_bounded(self) -> None:
        parser = ev.EventParser()
        for index in range(1000):
            parser.parse(delta(r"\ud83d", output_index=index))
        assert len(parser.halves) <= 64

    def test_any_cut_by_utf16_units_joins_to_the_same_text(self) -> None:
        text = "a😀b👩‍👩‍👧é漢🎉"
        units = text.encode("utf-16-le")
        for size in (1, 2, 3, 5):
            cuts = [
                units[at : at + 2 * size].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2 * size)
            ]
            assert "".join(self.texts(*(delta(json.dumps(cut)[1:-1]) for cut in cuts))) == text

    def test_a_strict_parser_joins_too(self) -> None:
        assert ev.EventParser(strict=True).parse(delta(r"\ud83d")).model_dump()["delta"] == ""
