"""What happens to an error that an observer itself has raised."""

from typing import Any

from reactivex import abc


def send_own_error(observer: abc.ObserverBase[Any], error: Exception) -> None:
    """Notify an observer of what it, or a core, has raised. Raises: the error, if the observer takes nothing any more.

    Then it is what an observer downstream raised in `on_error`, because it has none, and Rx has disposed the chain.
    """
    if getattr(observer, "is_stopped", False):
        raise error
    observer.on_error(error)
