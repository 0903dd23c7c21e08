"""The value so far of an incomplete document: a tree that grows at one place.

The cost of a piece does not depend on the size of the tree:

1. The tree is live. `value` returns the tree itself; only `snapshot()` copies.
2. The pieces of the open string are joined to the string in the tree when `value` is read. CPython does this in place
   (it resizes, it does not copy) if the tree has the only reference to the string. If a caller kept the string, the new
   one is a copy: one `memcpy`.
3. Only the open value and the containers around it can still change. `open_path` is its path; every other value is
   finished.
"""

from typing import Any, cast

from rxstream.partial_json._paths import JsonPath, JsonValue


class JsonTree:
    """The tree, and its changes by the last feed. `JsonReader` writes it."""

    __slots__ = (
        "_container",
        "_container_path",
        "_key",
        "_leaf_in_tree",
        "_leaf_path",
        "_pending",
        "_stack",
        "_top",
        "changed",
        "finished",
    )

    def __init__(self) -> None:
        self.changed: list[JsonPath] = []
        """The paths of the values that are new or longer since the last feed, in the order of the document.

        A container is listed when it is new, not when a value inside it changes.
        """
        self.finished: list[tuple[JsonPath, JsonValue]] = []
        """The paths that became whole in the last feed, and their values: children before their container.

        Each path of the document is listed once (a repeated member name: once for each value).
        """
        # The document is the one element of `_top`, so that it has a container like any other value.
        self._top: list[JsonValue] = []
        # `_container`, `_container_path` and `_key` of the outer containers.
        self._stack: list[tuple[Any, JsonPath | None, Any]] = []
        self._container: Any = self._top  # the innermost open container,
        self._container_path: JsonPath | None = None  # its path (None for `_top`),
        self._key: Any = 0  # and the name or index of the current value in it

        # The path of the open string, number or literal.
        self._leaf_path: JsonPath | None = None
        self._leaf_in_tree = False  # whether the tree has its value
        self._pending: list[str] = []  # the pieces of the open string that are not in the tree

    @property
    def value(self) -> JsonValue:
        """The value so far: the live tree. Do not change it. None before the first value.

        The same lists and dicts are returned each time, and grow with each feed; the open string grows only when
        `value` is read. To keep a value beyond the next feed, use `snapshot()`.
        """
        if self._pending:
            self._join()
        return self._top[0] if self._top else None

    def snapshot(self) -> JsonValue:
        """The value so far, which later feeds do not change.

        It shares the finished values with the tree, and copies only the open containers: the cost is the number of
        their members. Do not change it.
        """
        value = self.value
        if self._container_path is None:
            return value
        copy: Any = self._container.copy()
        for outer, _, key in reversed(self._stack[1:]):
            inner, copy = copy, outer.copy()
            copy[key if isinstance(outer, dict) else -1] = inner
        return copy

    @property
    def open_path(self) -> JsonPath | None:
        """The path of the innermost open value; None before the first value, and when the document is whole.

        This value and the containers around it may change; every other value is finished.
        """
        return self._container_path if self._leaf_path is None else self._leaf_path

    def drop_finished(self, depth: int) -> None:
        """Drop the finished values from the `depth` outermost open containers, to bound the memory of a long document.

        Indices of later elements count the dropped ones; `value` no longer has them.
        """
        if self._container_path is None:
            return
        containers = [(container, key) for container, _, key in self._stack[1:]]
        containers.append((self._container, self._key))
        for level, (container, key) in enumerate(containers[:depth]):
            inner_open = level + 1 < len(containers) or (self._leaf_path is not None and self._leaf_in_tree)
            if isinstance(container, dict):
                members = cast("dict[str, JsonValue]", container)
                for name in [name for name in members if not (inner_open and name == key)]:
                    del members[name]
            else:
                del container[: len(container) - inner_open]

    # For the reader. A leaf is opened, updated, and finished; a container is opened and closed.

    def _open_leaf(self) -> None:
        self._leaf_path = () if self._container_path is None else (*self._container_path, self._key)
        self._leaf_in_tree = False

    def _set_value(self, value: JsonValue) -> None:
        container = self._container
        if isinstance(container, dict):
            container[self._key] = value
        elif self._leaf_in_tree:
            container[-1] = value
        else:
            container.append(value)
        self._leaf_in_tree = True

    def _note_change(self) -> None:
        assert self._leaf_path is not None
        self.changed.append(self._leaf_path)

    def _place(self) -> Any:
        return self._key if isinstance(self._container, dict) else -1

    def _join(self) -> str:
        container = self._container
        place = self._place()
        text: str = container[place]
        if not self._pending:
            return text
        container[place] = None  # `text` is then the only reference, and the string can grow in place
        text += "".join(self._pending)
        container[place] = text
        self._pending.clear()
        return text

    def _finish_leaf(self, value: JsonValue) -> None:
        assert self._leaf_path is not None
        self.finished.append((self._leaf_path, value))
        self._leaf_path = None

    def _open_container(self, container: list[JsonValue] | dict[str, JsonValue]) -> None:
        self._open_leaf()
        path, self._leaf_path = self._leaf_path, None
        assert path is not None
        self._set_value(container)
        self.changed.append(path)
        self._stack.append((self._container, self._container_path, self._key))
        self._container, self._container_path, self._key = container, path, 0

    def _close_container(self) -> None:
        container, path = self._container, self._container_path
        assert path is not None
        self._container, self._container_path, self._key = self._stack.pop()
        self.finished.append((path, container))
