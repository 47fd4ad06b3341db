"""Counts of evaluated images kept on disk, so that a stopped evaluation goes on."""

import json
import logging
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..export.staging import write_all
from .froc import THRESHOLDS
from .pixels import BINS, PixelCounts
from .scores import CaseName, CaseScores, Marks

_ARRAYS = ("curve", "positive", "negative")
_log = logging.getLogger(__name__)


class Store:
    """A folder with `<case>.json` and `<case>.npz` for each evaluated image."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def load(self, name: str, key: dict) -> CaseScores | None:
        """The stored counts, or None when there are none for this key.

        key: what the counts depend on: image, model, thresholds, version.
        """
        path = self.folder / f"{name}.json"
        if not path.is_file():
            return None
        try:
            stored = json.loads(path.read_text("utf-8"))
            if stored["key"] != _plain(key):
                return None
            with np.load(self.folder / f"{name}.npz", allow_pickle=False) as arrays:
                return _restore(stored["scores"], {part: arrays[part] for part in _ARRAYS})
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            _log.warning("%s: stored counts are damaged (%s); evaluating it again", path, error)
            return None

    def save(self, name: str, key: dict, scores: CaseScores) -> None:
        """Store the counts. Raises InputError when the folder cannot be written."""
        scalars = asdict(scores)
        arrays = {part: scalars.pop(part) for part in _ARRAYS}
        text = json.dumps({"key": _plain(key), "scores": scalars}, indent=1)
        write_all(
            self.folder,
            {
                f"{name}.json": lambda path: path.write_text(text, "utf-8"),
                f"{name}.npz": lambda path: np.savez_compressed(path, **arrays),
            },
        )


def _restore(scalars: dict, arrays: dict[str, np.ndarray]) -> CaseScores:
    if arrays["curve"].shape != (len(THRESHOLDS), 4) or arrays["positive"].shape != (BINS,):
        raise ValueError("made with other thresholds")
    nested = {
        "case": CaseName(**scalars.pop("case")),
        "marks": Marks(**scalars.pop("marks")),
        "pixels": PixelCounts(**scalars.pop("pixels")),
        "matched_iou": tuple(scalars.pop("matched_iou")),
    }
    return CaseScores(**scalars, **nested, **arrays)


def _plain(key: dict) -> dict:
    """The key as JSON gives it back: tuples become lists."""
    return json.loads(json.dumps(key))
