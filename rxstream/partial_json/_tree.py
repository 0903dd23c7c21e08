"""The value so far of a document that is being written: a tree that grows at one place only.

Three rules keep the cost of growing it independent of its size:

1. The tree is live. `value` is the one tree; nobody pays for a copy who did not ask for a `snapshot()`.
2. The string being written is kept in pieces until `value` is asked for; then they are joined to what the tree holds.
   CPython does this in place (it resizes, it does not copy) as long as nobody else holds the string. Where someone
   kept the one of the time before, that one has to stay as it is, and the new one is a copy: one `memcpy`.
3. Of all values in the tree only the one being written and the containers around it can still change. `open_path`
   names it, and says by that of every other value that it is finished.
"""

from typing import Any, cast

from rxstream.partial_json._paths import JsonPath, JsonValue


class JsonTree:
    """The tree, and what the last feed did to it. `JsonReader` writes it."""

    __slots__ = ("_base", "_into", "_key", "_leaf", "_pending", "_shown", "_stack", "_top", "changed", "finished")

    def __init__(self) -> None:
        self.changed: list[JsonPath] = []
        """The paths whose value appeared or grew in the last feed, in the order of the document.

        A container is named when it appears, not again each time something inside it changes.
        """
        self.finished: list[tuple[JsonPath, JsonValue]] = []
        """The paths that became whole in the last feed, and their values: children before the container around them.

        Each path of the document comes here once (where a member name is repeated: once each time).
        """
        # The top value is the one element of `_top`, so that it has a place to stand like any other.
        self._top: list[JsonValue] = []
        self._stack: list[tuple[Any, JsonPath | None, Any]] = []  # `_into`, `_base` and `_key` of the containers around
        self._into: Any = self._top  # the innermost open container,
        self._base: JsonPath | None = None  # its path (none around the top value),
        self._key: Any = 0  # and the name or index in it where we are

        # The string, number or literal that is open.
        self._leaf: JsonPath | None = None
        self._shown = False  # whether the tree has it already
        self._pending: list[str] = []  # what the tree lacks of the string

    @property
    def value(self) -> JsonValue:
        """The value so far: one live tree, to be read and not written. `None` while nothing has come.

        The same lists and dicts come each time, grown; the open string is as long as it was when this was last asked.
        Whoever keeps a value beyond the next feed takes a `snapshot()`.
        """
        if self._pending:
            self._join()
        return self._top[0] if self._top else None

    def snapshot(self) -> JsonValue:
        """The value so far, as it is now: later feeds do not touch it.

        It shares what is finished with the tree and copies only the containers that are open, without descending:
        the cost is the number of their members. To be read and not written.
        """
        value = self.value
        if self._base is None:
            return value
        copy: Any = self._into.copy()
        for outer, _, key in reversed(self._stack[1:]):
            inner, copy = copy, outer.copy()
            copy[key if isinstance(outer, dict) else -1] = inner
        return copy

    @property
    def open_path(self) -> JsonPath | None:
        """The path of the innermost value that is being written; `None` when all is whole, or nothing has come.

        This value and those around it may change; everything else in the tree is finished.
        """
        return self._base if self._leaf is None else self._leaf

    def forget(self, depth: int) -> None:
        """Drop what is finished from the `depth` outermost open containers, to bound the memory of a long document.

        Paths count on as if it were still there; `value` no longer has it.
        """
        if self._base is None:
            return
        around = [(into, key) for into, _, key in self._stack[1:]]
        around.append((self._into, self._key))
        for level, (into, key) in enumerate(around[:depth]):
            inner_open = level + 1 < len(around) or (self._leaf is not None and self._shown)
            if isinstance(into, dict):
                members = cast("dict[str, JsonValue]", into)
                for name in [name for name in members if not (inner_open and name == key)]:
                    del members[name]
            else:
                del into[: len(into) - inner_open]

    # For the reader. A leaf is opened, shown as it grows, and finished; a container is opened and shut.

    def _open_leaf(self) -> None:
        self._leaf = () if self._base is None else (*self._base, self._key)
        self._shown = False

    def _show(self, value: JsonValue) -> None:
        into = self._into
        if isinstance(into, dict):
            into[self._key] = value
        elif self._shown:
            into[-1] = value
        else:
            into.append(value)
        self._shown = True

    def _note_change(self) -> None:
        assert self._leaf is not None
        self.changed.append(self._leaf)

    def _place(self) -> Any:
        return self._key if isinstance(self._into, dict) else -1

    def _join(self) -> str:
        into = self._into
        place = self._place()
        text: str = into[place]
        if not self._pending:
            return text
        into[place] = None  # so that `text` is the only one to hold the string, and it can grow in place
        text += "".join(self._pending)
        into[place] = text
        self._pending.clear()
        return text

    def _finish_leaf(self, value: JsonValue) -> None:
        assert self._leaf is not None
        self.finished.append((self._leaf, value))
        self._leaf = None

    def _open_container(self, container: list[JsonValue] | dict[str, JsonValue]) -> None:
        self._open_leaf()
        path, self._leaf = self._leaf, None
        assert path is not None
        self._show(container)
        self.changed.append(path)
        self._stack.append((self._into, self._base, self._key))
        self._into, self._base, self._key = container, path, 0

    def _shut_container(self) -> None:
        container, path = self._into, self._base
        assert path is not None
        self._into, self._base, self._key = self._stack.pop()
        self.finished.append((path, container))
