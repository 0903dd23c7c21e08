"""The event-stream format, straight from the text of the standards: slow, and with nothing clever in it.

Sources: WHATWG Encoding §8.1.1 (UTF-8 decoder) and §6 ("UTF-8 decode", which drops one BOM); WHATWG HTML §9.2.5
(the grammar of lines) and §9.2.6 (interpreting an event stream). One byte, one code point, one line at a time.
"""

from dataclasses import dataclass, field

from rxstream.sse import Frame


@dataclass
class Outcome:
    frames: list[Frame] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    last_event_id: str = ""
    retry: int | None = None


def interpret(data: bytes) -> Outcome:
    """What a client has seen when the whole of `data` has come and the stream is still open."""
    outcome = Outcome()
    data_buffer = ""
    event_type_buffer = ""
    last_event_id_buffer = ""
    block_retry = None
    for line in lines(decode(data)):
        if line == "":
            # dispatch the event
            outcome.last_event_id = last_event_id_buffer
            if data_buffer == "":
                event_type_buffer = ""
            else:
                if data_buffer[-1] == "\n":
                    data_buffer = data_buffer[:-1]
                event_type = "message"
                if event_type_buffer != "":
                    event_type = event_type_buffer
                outcome.frames.append(Frame(event_type, data_buffer, outcome.last_event_id, block_retry))
                data_buffer = ""
                event_type_buffer = ""
            block_retry = None
            continue
        if line[0] == ":":
            outcome.comments.append(line[1:])
            continue
        if ":" in line:
            place = line.index(":")
            name = line[:place]
            value = line[place + 1 :]
            if value[:1] == " ":
                value = value[1:]
        else:
            name = line
            value = ""
        if name == "event":
            event_type_buffer = value
        elif name == "data":
            data_buffer = data_buffer + value + "\n"
        elif name == "id":
            if "\u0000" not in value:
                last_event_id_buffer = value
        elif name == "retry" and value != "" and all(c in "0123456789" for c in value):
            number = 0
            for c in value:
                number = number * 10 + "0123456789".index(c)
            # ours: a time of more than 10**15 - 1 ms (31,000 years) counts as that
            outcome.retry = block_retry = min(number, 10**15 - 1)
    return outcome


def lines(text: str) -> list[str]:
    """The lines that have ended; a CR ends one at once, whatever may follow."""
    ended = []
    line = ""
    after_carriage_return = False
    for c in text:
        if c == "\n" and after_carriage_return:
            after_carriage_return = False
            continue
        after_carriage_return = c == "\r"
        if c in ("\r", "\n"):
            ended.append(line)
            line = ""
        else:
            line = line + c
    return ended


def decode(data: bytes) -> str:
    """The UTF-8 decoder as a state machine. An unfinished sequence at the end has not been decoded yet."""
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    text = ""
    code_point = 0
    needed = 0
    seen = 0
    lower = 0x80
    upper = 0xBF
    i = 0
    while i < len(data):
        byte = data[i]
        i = i + 1
        if needed == 0:
            if byte <= 0x7F:
                text = text + chr(byte)
            elif 0xC2 <= byte <= 0xDF:
                needed = 1
                code_point = byte & 0x1F
            elif 0xE0 <= byte <= 0xEF:
                if byte == 0xE0:
                    lower = 0xA0
                if byte == 0xED:
                    upper = 0x9F
                needed = 2
                code_point = byte & 0xF
            elif 0xF0 <= byte <= 0xF4:
                if byte == 0xF0:
                    lower = 0x90
                if byte == 0xF4:
                    upper = 0x8F
                needed = 3
                code_point = byte & 0x7
            else:
                text = text + "\ufffd"
            continue
        if not lower <= byte <= upper:
            code_point = needed = seen = 0
            lower = 0x80
            upper = 0xBF
            i = i - 1
            text = text + "\ufffd"
            continue
        lower = 0x80
        upper = 0xBF
        code_point = (code_point << 6) | (byte & 0x3F)
        seen = seen + 1
        if seen != needed:
            continue
        text = text + chr(code_point)
        code_point = needed = seen = 0
    return text
