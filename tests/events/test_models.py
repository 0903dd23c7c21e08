"""The models: dumps, copies, defaults, and what they accept."""

import copy
import json
import pickle

import pytest
from pydantic import ValidationError

from rxstream import events as ev

DELTA = {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Hi", "logprobs": [], "x": {"y": 1}}


def parse(data: object) -> ev.StreamingEvent:
    return ev.parse_event(json.dumps(data))


class TestModel:
    def test_a_dump_has_only_the_fields_that_were_sent(self) -> None:
        event = parse(DELTA)
        assert event.model_dump() == DELTA
        assert json.loads(event.model_dump_json()) == DELTA

    def test_is_frozen(self) -> None:
        event = parse(DELTA)
        with pytest.raises(ValidationError):
            event.sequence_number = 3  # type: ignore[misc]

    def test_has_plain_defaults_and_names_the_fields_that_were_sent(self) -> None:
        event = parse({"type": "response.output_text.delta", "delta": "Hi"})
        assert isinstance(event, ev.ResponseOutputTextDeltaEvent)
        assert (event.item_id, event.output_index, event.content_index) == ("", 0, 0)
        assert event.sequence_number is None
        assert not event.synthetic
        assert event.model_fields_set == {"type", "delta"}

    def test_can_be_matched_by_class_and_fields(self) -> None:
        match parse(DELTA):
            case ev.ResponseOutputTextDeltaEvent(delta=text, output_index=0):
                assert text == "Hi"
            case _:
                pytest.fail("no match")

    @pytest.mark.parametrize(
        "data",
        [
            DELTA,
            {"type": "error", "error": {"code": 500, "message": "no"}},
            {"type": "response.completed", "response": {"output": [{"type": "message", "content": []}, {"a": 1}]}},
            {"type": "acme:thing", "sequence_number": 3},
        ],
    )
    def test_survives_pickle_and_copy(self, data: dict[str, object]) -> None:
        event = parse(data)
        for duplicate in (
            pickle.loads(pickle.dumps(event)),
            copy.copy(event),
            copy.deepcopy(event),
            event.model_copy(),
        ):
            assert duplicate == event
            assert json.loads(duplicate.model_dump_json()) == data

    def test_is_hashable_if_its_fields_are(self) -> None:
        data = {"type": "response.function_call_arguments.delta", "delta": "{"}
        assert len({parse(data), parse(data)}) == 1

    def test_numbers_are_dumped_as_they_were_sent(self) -> None:
        text = '{"type":"response.created","response":{"created_at":1.5,"completed_at":2,"temperature":1,"top_p":1.0}}'
        assert ev.parse_event(text).model_dump_json() == text

    def test_can_be_made_from_fields(self) -> None:
        event = ev.ResponseOutputTextDeltaEvent(type="response.output_text.delta", delta="Hi", synthetic=True)
        assert json.loads(event.model_dump_json()) == {
            "type": "response.output_text.delta",
            "delta": "Hi",
            "synthetic": True,
        }

    def test_an_updated_copy_dumps_the_update_and_not_the_invalid_value(self) -> None:
        event = parse({"type": "response.refusal.delta", "delta": "", "output_index": None, "x": 1})
        copied = event.model_copy(update={"output_index": 2})
        assert copied.model_dump() == {"type": "response.refusal.delta", "delta": "", "output_index": 2, "x": 1}
        assert event.model_dump()["output_index"] is None

    def test_a_keyword_of_python_is_a_field_of_the_wire(self) -> None:
        item = ev.FunctionCallItem.model_validate({"type": "function_call", "async": True})
        assert item.async_ is True
        assert item.model_dump() == {"type": "function_call", "async": True}


class TestErrorEvent:
    @pytest.mark.parametrize(
        "data",
        [
            {"type": "error", "code": "rate", "message": "slow down", "param": "input", "sequence_number": 2},
            {"type": "error", "error": {"code": "rate", "message": "slow down", "param": "input"}},
            {"type": "error", "error": {"type": "x", "code": "rate", "message": "slow down", "param": "input", "n": 1}},
            {"type": "error", "status": 429, "error": {"code": "rate", "message": "slow down", "param": "input"}},
            {
                "type": "error",
                "code": None,
                "message": "",
                "error": {"code": "rate", "message": "slow down", "param": "input"},
            },
        ],
    )
    def test_is_read_nested_or_flat_and_dumped_as_it_was_sent(self, data: dict[str, object]) -> None:
        event = parse(data)
        assert isinstance(event, ev.ErrorEvent)
        assert (event.code, event.message, event.param) == ("rate", "slow down", "input")
        assert json.loads(event.model_dump_json()) == data
        assert json.loads(pickle.loads(pickle.dumps(event)).model_dump_json()) == data

    @pytest.mark.parametrize("data", [{"type": "error", "error": {"code": 500}}, {"type": "error", "code": 500}])
    def test_a_number_is_a_code(self, data: dict[str, object]) -> None:
        event = parse(data)
        assert isinstance(event, ev.ErrorEvent)
        assert event.code == "500"
        assert json.loads(event.model_dump_json()) == data
        assert json.loads(pickle.loads(pickle.dumps(event)).model_dump_json()) == data

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ({"type": "error", "error": "boom"}, "boom"),
            ({"type": "error", "error": {"message": None, "code": ["a"]}}, ""),
            ({"type": "error", "error": None, "message": None}, ""),
            ({"type": "error"}, ""),
        ],
    )
    def test_is_read_in_any_form(self, data: dict[str, object], message: str) -> None:
        event = parse(data)
        assert isinstance(event, ev.ErrorEvent)
        assert event.message == message
        assert event.code is None
        assert json.loads(event.model_dump_json()) == data

    def test_an_error_without_type_stays_unknown(self) -> None:
        event = parse({"error": {"code": 500, "message": "no"}})
        assert isinstance(event, ev.UnknownEvent)
        assert (event.type, event.error) == ("", None)


MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "Hi "}, {"type": "refusal"}]}


class TestResponse:
    def test_output_text_joins_the_texts(self) -> None:
        response = ev.Response.model_validate({"output": [MESSAGE, {"type": "reasoning"}, MESSAGE]})
        assert response.output_text == "Hi Hi "

    def test_output_text_may_be_a_field_of_the_json(self) -> None:
        data = {"output_text": "there", "output": []}
        response = ev.Response.model_validate(data)
        assert response.output_text == "there"
        assert response.model_dump() == data

    def test_an_error_code_may_be_a_number(self) -> None:
        response = ev.Response.model_validate({"error": {"code": 503, "message": "no"}})
        assert response.error is not None
        assert response.error.code == "503"
        assert response.model_dump() == {"error": {"code": 503, "message": "no"}}

    @pytest.mark.parametrize(
        "fields",
        [
            {"usage": {"input_tokens": 3, "output_tokens": None, "input_tokens_details": {"cached_tokens": None}}},
            {"usage": "free", "metadata": [], "created_at": "today"},
            {"output": None, "id": None, "model": 4, "tools": {}},
            {"error": "boom", "reasoning": "lots", "text": []},
            {"output": [None, 3]},
        ],
    )
    def test_a_terminal_event_with_an_invalid_field_is_read(self, fields: dict[str, object]) -> None:
        data = {"type": "response.completed", "response": {"status": "completed", **fields}}
        event = parse(data)
        assert isinstance(event, ev.ResponseCompletedEvent)
        assert event.response.status == "completed"
        assert json.loads(event.model_dump_json()) == data
        assert event.response.model_dump_json()

    def test_an_invalid_number_of_the_usage_leaves_the_others(self) -> None:
        usage = {"input_tokens": 3, "output_tokens": None, "input_tokens_details": {"cached_tokens": None}}
        event = parse({"type": "response.completed", "response": {"usage": usage}})
        assert isinstance(event, ev.ResponseCompletedEvent)
        assert event.response.usage is not None
        assert (event.response.usage.input_tokens, event.response.usage.output_tokens) == (3, 0)
        assert event.response.usage.cached_tokens == 0

    def test_usage_has_plain_numbers(self) -> None:
        usage = ev.Usage.model_validate(
            {"input_tokens_details": {"cached_tokens": 2}, "output_tokens_details": {"reasoning_tokens": 5}}
        )
        assert (usage.cached_tokens, usage.reasoning_tokens, usage.total_tokens) == (2, 5, 0)
        assert ev.Usage().reasoning_tokens == 0


class TestItems:
    @pytest.mark.parametrize(
        "item",
        [
            {"type": "pydantic_ai:function_call", "id": "x", "n": 1},
            {"type": "function_call", "arguments": {"a": 1}, "caller": 7},
            {"type": "message", "content": 7},
            {"type": "acme", "id": 7, "status": None},
            {"type": None},
            {},
        ],
    )
    def test_an_item_that_does_not_fit_is_an_unknown_item_with_all_its_fields(self, item: dict[str, object]) -> None:
        for kind in ("added", "done"):
            data = {"type": f"response.output_item.{kind}", "item": item}
            event = parse(data)
            assert isinstance(event, ev.ResponseOutputItemAddedEvent | ev.ResponseOutputItemDoneEvent)
            assert isinstance(event.item, ev.UnknownItem)
            assert event.item.type == (item.get("type") or "")
            assert json.loads(event.model_dump_json()) == data

    @pytest.mark.parametrize(
        ("item", "field", "meant"),
        [
            ({"type": "function_call", "arguments": {"city": "Rome"}}, "arguments", '{"city":"Rome"}'),
            ({"type": "mcp_call", "arguments": {"a": 1}, "name": "n"}, "arguments", '{"a":1}'),
            ({"type": "custom_tool_call", "input": ["ls"]}, "input", '["ls"]'),
            ({"type": "custom_tool_call", "input": "ls", "call_id": 5, "status": None}, "call_id", "5"),
            ({"type": "message", "id": 7, "content": "Hello."}, "text", "Hello."),
            ({"type": "message", "content": [{"type": "output_text", "text": {"value": "Hi"}}]}, "text", "Hi"),
            ({"type": "reasoning", "summary": "hm"}, "summary_text", "hm"),
        ],
    )
    def test_a_field_of_another_json_type_is_read_as_it_is_meant(
        self, item: dict[str, object], field: str, meant: str
    ) -> None:
        data = {"type": "response.output_item.done", "item": item}
        event = parse(data)
        assert isinstance(event, ev.ResponseOutputItemDoneEvent)
        assert getattr(event.item, field) == meant
        assert event.model_dump() == data
        assert json.loads(event.model_dump_json()) == data

    def test_fields_under_the_name_of_the_type_are_read(self) -> None:
        cited = {"type": "url_citation", "url_citation": {"url": "https://a", "start_index": 0, "end_index": 2}}
        data = {"type": "response.output_text.annotation.added", "item_id": 3, "annotation": cited}
        event = parse(data)
        assert isinstance(event, ev.ResponseOutputTextAnnotationAddedEvent)
        assert isinstance(event.annotation, ev.UrlCitationAnnotation)
        assert (event.annotation.url, event.annotation.end_index, event.item_id) == ("https://a", 2, "3")
        assert event.model_dump() == data

    @pytest.mark.parametrize("nested", [False, True])
    def test_an_object_as_the_param_of_an_error_does_not_hide_its_code(self, nested: bool) -> None:
        fields = {"code": "bad", "message": "No.", "param": {"a": 1}}
        data = {"type": "error", "error": fields} if nested else {"type": "error", **fields}
        event = parse(data)
        assert isinstance(event, ev.ErrorEvent)
        assert (event.code, event.message, event.param) == ("bad", "No.", '{"a":1}')
        assert event.model_dump() == data

    def test_nulls_do_not_make_an_item_unknown(self) -> None:
        item = {"type": "function_call", "id": None, "name": "f", "arguments": None}
        event = parse({"type": "response.output_item.added", "output_index": None, "item": item})
        assert isinstance(event, ev.ResponseOutputItemAddedEvent)
        assert isinstance(event.item, ev.FunctionCallItem)
        assert (event.item.id, event.item.name, event.item.arguments, event.output_index) == ("", "f", "", 0)
        assert event.model_dump()["item"] == item

    @pytest.mark.parametrize("item", [None, 3, "x", []])
    def test_an_item_that_is_not_an_object_makes_the_event_unknown(self, item: object) -> None:
        event = parse({"type": "response.output_item.added", "item": item})
        assert isinstance(event, ev.UnknownEvent)
        assert event.error

    def test_an_unknown_part_and_annotation_keep_their_fields(self) -> None:
        part = {"type": "output_text", "text": "x", "annotations": [{"type": "acme", "n": 1}, {"type": "url_citation"}]}
        message = {"type": "message", "content": [part, {"type": "hologram", "n": 1}]}
        data = {"type": "response.output_item.done", "item": message}
        event = parse(data)
        assert isinstance(event, ev.ResponseOutputItemDoneEvent)
        match event.item:
            case ev.MessageItem(content=[ev.OutputTextPart(annotations=[first, second]), third]):
                assert isinstance(first, ev.UnknownAnnotation)
                assert isinstance(second, ev.UnknownAnnotation)
                assert isinstance(third, ev.UnknownPart)
            case _:
                pytest.fail("no match")
        assert json.loads(event.model_dump_json()) == data

    def test_a_message_and_a_reasoning_item_have_their_text(self) -> None:
        message = ev.MessageItem.model_validate(
            {"type": "message", "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "no"}]}
        )
        assert (message.text, message.refusal) == ("a", "no")
        reasoning = ev.ReasoningItem.model_validate(
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "s"}, {"type": "summary_text", "text": "t"}],
                "content": [{"type": "reasoning_text", "text": "r"}],
            }
        )
        assert (reasoning.summary_text, reasoning.text) == ("s\n\nt", "r")


@pytest.mark.parametrize("kind", ["x.unknown", "response.output_text.delta", "response.created"])
def test_what_is_dumped_is_json_also_of_numbers_that_json_does_not_have(kind: str) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    delta = '"NaN", "Infinity" \\'
    data = f"""{{"type": "{kind}", "delta": {json.dumps(delta)},
        "Infinity": [1e999, -1E400, NaN, -Infinity, 1.5, "-Infinity"],
        "logprobs": [{{"token": "NaN", "logprob": -Infinity}}], "response": {{"temperature": 1e999}}}}"""
    for event in (ev.parse_event(data), ev.parse_event(ev.parse_event(data).model_dump_json())):
        dumped = event.model_dump_json()
        value = json.loads(dumped, parse_constant=refuse)
        assert value["delta"] == delta
        assert value["Infinity"] == [float("inf"), float("-inf"), None, float("-inf"), 1.5, "-Infinity"]
        assert value["logprobs"] == [{"token": "NaN", "logprob": float("-inf")}]
        assert value["response"] == {"temperature": float("inf")}
        assert dumped.count("1e999") == 5
