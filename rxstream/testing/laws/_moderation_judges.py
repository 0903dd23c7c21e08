"""Checks for trials of a moderated stream."""

from collections.abc import Callable
from typing import Any

from rxstream.moderation import Verdict, Window


def secret_judge(secret: str) -> Callable[[Window], Verdict]:
    """A check that flags one text, with the spans of it, and holds back text that may begin it."""

    class SecretCheck:
        holdback = len(secret) - 1

        def __call__(self, window: Window) -> Verdict:
            text, context_size = window.context + window.text, len(window.context)
            spans: list[tuple[int, int]] = []
            start = text.find(secret)
            while start >= 0:
                if start + len(secret) > context_size:
                    spans.append((start - context_size, start - context_size + len(secret)))
                start = text.find(secret, start + 1)
            return Verdict(bool(spans), ("secret",) if spans else (), spans=tuple(spans))

    return SecretCheck()


def pass_all(window: Window) -> bool:
    return False


def flag_all(window: Window) -> bool:
    return True


def fail_after(passes: int, answer: object) -> Callable[[Window], Any]:
    """A check that passes so many windows, and then always raises or returns something other than a verdict."""
    passes_left = iter(range(passes))

    def judge(window: Window) -> Any:
        if next(passes_left, None) is not None:
            return False
        if answer == "raise":
            raise RuntimeError(f"broken on {window.text}")
        return answer

    return judge
