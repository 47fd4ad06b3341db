"""What the user sees while work goes on: a bar on a terminal, plain lines elsewhere."""

import shutil
import sys
import time
from contextlib import contextmanager

_SECONDS_BETWEEN_LINES = 15.0
_BAR = "{percentage:3.0f}% |{bar:24}| {elapsed}, {remaining} left  {desc}"


@contextmanager
def progress_on_stderr(quiet: bool = False):
    """Gives a `Progress`; says nothing when quiet."""
    from ..progress import Silent

    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        with _Bar() as bar:
            yield bar
    else:
        yield Lines()


class _Bar:
    """A tqdm bar with what is being done and the time left."""

    def __enter__(self):
        from tqdm import tqdm

        # tqdm shows nothing on a terminal that does not say how large it is, as some do not.
        columns, lines = shutil.get_terminal_size()
        self._bar = tqdm(
            total=1.0, file=sys.stderr, bar_format=_BAR, leave=False, ncols=columns, nrows=lines
        )
        return self

    def __exit__(self, *error) -> None:
        self._bar.close()

    def report(self, fraction: float, text: str) -> None:
        fraction = min(max(fraction, self._bar.n), 1.0)
        self._bar.set_description_str(text, refresh=False)
        self._bar.update(fraction - self._bar.n)
        self._bar.refresh()


class Lines:
    """A line when the work's text changes, at most one in 15 s: for logs and pipes.

    write, now: where lines go, and a clock in seconds.
    """

    def __init__(self, write=None, now=time.monotonic):
        self._write = write or (lambda line: sys.stderr.write(line + "\n"))
        self._now = now
        self._started = now()
        self._written_at = -float("inf")
        self._text = None

    def report(self, fraction: float, text: str) -> None:
        now = self._now()
        if text == self._text or now - self._written_at < _SECONDS_BETWEEN_LINES:
            return
        self._text, self._written_at = text, now
        self._write(f"[{fraction:4.0%}] {text}{self._left(fraction, now)}")

    def _left(self, fraction: float, now: float) -> str:
        elapsed = now - self._started
        if not 0 < fraction < 1 or elapsed < _SECONDS_BETWEEN_LINES:
            return ""
        seconds = elapsed / fraction - elapsed
        return (
            f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", {seconds:.0f} s left"
        )


def say(text: str = "") -> None:
    """A line of the result, on stdout."""
    sys.stdout.write(text + "\n")


def complain(text: str) -> None:
    """A line about something refused, on stderr."""
    sys.stderr.write(f"microcalc: {text}\n")
