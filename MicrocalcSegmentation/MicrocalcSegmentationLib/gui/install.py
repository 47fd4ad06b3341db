"""The Python packages that the networks need: what is missing, installing it, and the way back.

pip runs in a process of its own, polled like the worker: the window stays free, and installing
can be cancelled. What was installed is noted beside the packages, so that it can be removed.
"""

import importlib
import importlib.metadata
import json
import logging
import os
import queue
import re
import signal
import subprocess
import sysconfig
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError
from .client import python_program
from .jobs import Outcome

# As pyproject.toml has them (a test compares); Slicer brings the others itself.
REQUIREMENTS = (
    "numpy>=1.26",
    "onnxruntime>=1.19",
    "pillow>=10.1",
    "pydicom>=2.4",
    "pyjpegls>=1.2",
    "pylibjpeg>=2.0",
    "pylibjpeg-libjpeg>=2.1",
    "pylibjpeg-openjpeg>=2.0",
    "pylibjpeg-rle>=2.0",
    "scikit-image>=0.22",
    "scipy>=1.11",
    "SimpleITK>=2.3",
    "tqdm>=4.64",
)
KERAS_REQUIREMENTS = ("keras>=3.6", "tensorflow>=2.18")  # the engine "keras" needs these, too
_ALTERNATIVES = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
}
_NOTE = "MicrocalcSegmentation-installed.json"
_LAST_WORDS = 1000  # characters of pip's own that the log repeats
_OFFLINE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError|No matching distribution"
)
_PLAIN = re.compile(r"[\w.-]+==[\w.!+-]+")  # what pip takes as a constraint
_UNINSTALL = ("uninstall", "--yes", "--disable-pip-version-check")
_CONFLICT = re.compile(r"ResolutionImpossible|conflicting dependencies")

Versions = dict[str, str]

_log = logging.getLogger(__name__)


def missing(engine: str = "auto", version_of=importlib.metadata.version) -> list[str]:
    """Requirements of which no version at all is installed.

    Another version than asked for is left alone: pip would change it under Slicer's feet.
    """
    wanted = (*REQUIREMENTS, *(KERAS_REQUIREMENTS if engine == "keras" else ()))
    return [one for one in wanted if not _is_there(name_of(one), version_of)]


def require_packages(engine: str = "auto") -> None:
    """For the console: raise InputError that says how to install what is missing."""
    if wanted := missing(engine):
        listed = ", ".join(map(name_of, wanted))
        raise InputError(
            f"not installed: {listed}; press Detect in the module's panel, which installs them, or "
            f"run slicer.util.pip_install({wanted})"
        )


def name_of(requirement: str) -> str:
    """A requirement's package."""
    return requirement.split(">")[0]


def installed_versions() -> Versions:
    """Every package that this Python has."""
    importlib.invalidate_caches()
    found = {}
    for one in importlib.metadata.distributions():
        if one.metadata["Name"]:
            found[one.metadata["Name"].lower().replace("_", "-")] = one.version
    return found


class Packages:
    """Installs and removes packages, one at a time; polled from a timer, it never waits.

    pip: what to run, by default pip in the worker's Python. folder: where the note of what was
    installed lies. versions: tells what is installed.
    """

    def __init__(
        self,
        pip: list[str] | None = None,
        folder: Path | None = None,
        versions: Callable[[], Versions] = installed_versions,
    ):
        self._pip = pip or [python_program(), "-m", "pip"]
        self._note = Path(folder or sysconfig.get_paths()["purelib"]) / _NOTE
        self._versions = versions
        self._process: subprocess.Popen | None = None
        self._lines: queue.Queue = queue.Queue()
        self._said: list[str] = []
        self._wanted: list[str] = []
        self._before: Versions = {}
        self._constraints: Path | None = None
        self._removing = False
        self._then: Outcome | None = None  # told when pip has taken away what it had put there
        self._seen = 0

    @property
    def running(self) -> bool:
        """Whether pip is at it, or its end has not been told yet."""
        return self._process is not None or self._then is not None

    def installed_by_us(self) -> list[str]:
        """Names of packages that were installed here."""
        try:
            return json.loads(self._note.read_text("utf-8"))
        except (OSError, ValueError):
            return []

    def start_install(self, wanted: list[str]) -> None:
        """Begin to install requirements; no package that is there already is changed."""
        self._wanted, self._before, self._seen = list(wanted), self._versions(), 0
        self._removing = False
        lines = [f"{name}=={version}\n" for name, version in self._before.items()]
        with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
            file.writelines(line for line in lines if _PLAIN.fullmatch(line.strip()))
        self._constraints = Path(file.name)
        options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        self._run(["install", *options, "--constraint", file.name, *wanted])

    def start_removal(self) -> None:
        """Begin to remove what was installed here."""
        names = self.installed_by_us()
        self._removing, self._wanted = True, names
        self._run([*_UNINSTALL, *names])

    def cancel(self) -> None:
        """Stop installing; what pip has put there meanwhile is taken away again."""
        if self._process is not None and self._then is None and not self._removing:
            _kill(self._process)
            self._undo(Outcome("cancelled", "cancelled; nothing was installed"))

    def poll(self) -> Outcome | None:
        """How it stands, when there is news."""
        if self._process is None:
            outcome, self._then = self._then, None
            return outcome
        text = None
        while not self._lines.empty():
            line = self._lines.get_nowait()
            if line is None:
                self._ended()
                return self.poll()
            self._said.append(line)
            self._seen += line.startswith(("Collecting", "Requirement already"))
            text = line.strip()[:80] or text
        if text is None:
            return None
        installing = any(line.startswith("Installing collected") for line in self._said)
        # Every requirement brings about one more; nobody knows how many before.
        fraction = 0.9 if installing else min(0.8, 0.4 * self._seen / max(1, len(self._wanted)))
        return Outcome("progress", text, fraction)

    def close(self) -> None:
        """End pip."""
        if self._process is not None:
            _kill(self._process)
            self._process = None

    def _run(self, arguments: list[str]) -> None:
        _log.info("pip %s", " ".join(arguments))
        self._lines, self._said = queue.Queue(), []
        try:
            self._process = subprocess.Popen(
                [*self._pip, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # pip's own processes end with it
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise InputError(f"pip cannot be run ({error}); install Slicer again") from error
        threading.Thread(target=_read, args=(self._process, self._lines), daemon=True).start()

    def _ended(self) -> None:
        code = self._process.wait()
        self._process = None
        said = "".join(self._said)
        if code != 0:
            _log.error("pip ended with %s: %s", code, said[-_LAST_WORDS:])
        if self._then is not None:  # undone, or not: the reason for it is what matters
            return
        if self._removing:
            removed = Outcome("done", f"removed: {', '.join(self._wanted)}", 1.0)
            failed = Outcome("failed", "not all packages could be removed; see Slicer's log")
            self._then = removed if code == 0 else failed
            if code == 0:
                self._note.unlink(missing_ok=True)
        elif code == 0:
            self._remember()
            listed = ", ".join(map(name_of, self._wanted))
            self._then = Outcome("done", f"installed: {listed}", 1.0)
        else:
            self._undo(Outcome("failed", _sentence(self._wanted, said)))
        self._forget_constraints()

    def _remember(self) -> None:
        new = [name for name in self._versions() if name not in self._before]
        noted = [*self.installed_by_us(), *new]
        try:
            self._note.write_text(json.dumps(noted), "utf-8")
        except OSError as error:  # they work all the same; only the way back is longer
            _log.warning("%s: %s", self._note, error)

    def _undo(self, outcome: Outcome) -> None:
        """Take away what is new, and then tell the outcome."""
        self._then, self._process = outcome, None
        self._forget_constraints()
        new = [name for name in self._versions() if name not in self._before]
        if new:
            self._run([*_UNINSTALL, *new])

    def _forget_constraints(self) -> None:
        if self._constraints is not None:
            self._constraints.unlink(missing_ok=True)


def _sentence(wanted: list[str], said: str) -> str:
    listed = ", ".join(map(name_of, wanted))
    if _CONFLICT.search(said):
        why = "they do not fit packages that Slicer has already, which are left as they are"
        return f"{listed} could not be installed: {why}; see Slicer's log"
    if _OFFLINE.search(said):
        return (
            f"{listed} could not be installed: no connection to the package index; check network "
            "and proxy (without one, see Troubleshooting in the README), then press Detect again"
        )
    return f"{listed} could not be installed; see Slicer's log, then press Detect again"


def _read(process: subprocess.Popen, lines: queue.Queue) -> None:
    with process.stdout as said:
        for line in said:
            lines.put(line)
    lines.put(None)


def _kill(process: subprocess.Popen) -> None:
    if os.name == "nt":
        process.kill()
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            _log.debug("pip had ended already")
    process.wait()


def _is_there(name: str, version_of) -> bool:
    for alternative in _ALTERNATIVES.get(name, (name,)):
        try:
            version_of(alternative)
        except importlib.metadata.PackageNotFoundError:
            continue
        return True
    return False
