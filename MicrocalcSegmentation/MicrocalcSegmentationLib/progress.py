"""How long work tells how far it is, and how it is told to stop."""

from typing import Protocol


class Progress(Protocol):
    """Receives the state of a running job."""

    def report(self, fraction: float, text: str) -> None:
        """Take the state: fraction in [0, 1], text in the user's words.

        May raise `Cancelled`, which the reporting code lets pass.
        """


class Silent:
    """Progress for callers that do not want any."""

    def report(self, fraction: float, text: str) -> None:
        pass


class Part:
    """A stretch of a longer job: maps [0, 1] onto [start, stop] of the whole."""

    def __init__(self, whole: Progress, start: float, stop: float):
        self._whole = whole
        self._start = start
        self._span = stop - start

    def report(self, fraction: float, text: str) -> None:
        self._whole.report(self._start + self._span * fraction, text)
