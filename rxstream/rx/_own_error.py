"""What happens to an error that an observer itself has raised."""

from typing import Any

from reactivex import abc

from rxstream.rx._context import RUNTIME


def send_own_error(observer: abc.ObserverBase[Any], error: Exception) -> None:
    """Notify an observer of what it, or a core, has raised. Raises: the error, if the observer takes nothing any more.

    Then it is what an observer downstream raised in `on_error`, because it has none, and Rx has disposed the chain.
    """
    if getattr(observer, "is_stopped", False):
        raise error
    observer.on_error(error)


def send_error(
    observer: abc.ObserverBase[Any], error: Exception, unhandled: list[Exception], *, own: bool = True
) -> None:
    """Notify an observer of an error, its own or the source's. If it raises, leaving the session raises that; without
    a session it is added to `unhandled`, which the caller raises when all observers were notified."""
    try:
        if own:
            send_own_error(observer, error)
        else:
            observer.on_error(error)
    except Exception as raised:
        unhandled_error = raised
    else:
        return
    runtime = RUNTIME.get()
    if runtime is None:
        unhandled.append(unhandled_error)
        return

    async def report() -> None:
        raise unhandled_error

    runtime.spawn(report)


def raise_all(unhandled: list[Exception]) -> None:
    if len(unhandled) > 1:
        raise ExceptionGroup("several observers failed", unhandled)
    if unhandled:
        raise unhandled[0]
