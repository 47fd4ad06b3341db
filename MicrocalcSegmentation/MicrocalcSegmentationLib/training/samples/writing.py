"""One image's arrays into the cache, and its samples into the database."""

import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets.annotated import AnnotatedImage, Problem
from .classes import CLASSES, ZONES, class_map, zone_map
from .preparing import Prepared, examine
from .schema import group_id

VALUES, LABELS = "values", "labels"
_ZONE_BASE = 8  # class and zone in one number: class * 8 + zone


@dataclass(frozen=True)
class Entry:
    """What the database gets of an image; the arrays are already in the cache.

    columns: of the table `images`. groups: rows of `groups`, with their runs, (n, 4) int32
    of before, row, col, length.
    """

    columns: dict[str, str | int | float]
    groups: tuple[tuple[tuple[int, ...], np.ndarray], ...]


def make_entry(
    image: AnnotatedImage, number: int, sides: tuple[int, ...], cache: Path
) -> tuple[Entry | None, tuple[Problem, ...]]:
    """Examine an image and cache its arrays; None when something harmful is wrong with it.

    number: its id in the database.
    """
    prepared, problems = examine(image)
    if prepared is None:
        return None, problems
    digests = {
        what: _write_array(array_path(cache, number, what), getattr(prepared, what))
        for what in (VALUES, LABELS)
    }
    groups = []
    zones = zone_map(prepared.labels, prepared.box, prepared.own_shape)
    for side in sides:
        groups += _groups(class_map(prepared.labels, side), zones, number, side)
    return Entry(_columns(prepared, digests), tuple(groups)), problems


def array_path(cache: Path, number: int, what: str) -> Path:
    """The file of an image's "values" or "labels"."""
    return cache / f"{number:06d}-{what}.npy"


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()


def write_entry(connection: sqlite3.Connection, number: int, entry: Entry) -> None:
    """Put an image's samples in, in place of any there were. Call inside a transaction."""
    connection.execute("DELETE FROM groups WHERE image = ?", (number,))
    for row, runs in entry.groups:
        connection.execute("INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?)", row)
        connection.executemany(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?)",
            ((row[0], *run) for run in runs.tolist()),
        )
    names = ", ".join(f"{name} = ?" for name in entry.columns)
    connection.execute(f"UPDATE images SET {names} WHERE id = ?", (*entry.columns.values(), number))


def runs_of(codes: np.ndarray) -> np.ndarray:
    """(n, 4) int64 of code, row, col, length: every run of equal codes but 0, row by row."""
    cols = codes.shape[1]
    # A column of 0 after the last one, so that no run reaches into the next row.
    flat = np.pad(codes, [(0, 0), (0, 1)]).ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=flat[:1] ^ 1))
    lengths = np.diff(starts, append=flat.size)
    kept = flat[starts] != 0
    starts, lengths = starts[kept], lengths[kept]
    return np.stack([flat[starts], *np.divmod(starts, cols + 1), lengths], axis=1)


def _groups(classes: np.ndarray, zones: np.ndarray, number: int, side: int) -> list:
    codes = np.where(classes > 0, classes * np.uint8(_ZONE_BASE) + zones, np.uint8(0))
    runs = runs_of(codes)
    found = []
    for sample_class in CLASSES:
        for zone in ZONES:
            own = runs[runs[:, 0] == sample_class * _ZONE_BASE + zone]
            if not len(own):
                continue
            before = np.cumsum(own[:, 3]) - own[:, 3]
            key = group_id(number, side, sample_class, zone)
            row = (key, number, side, sample_class, zone, int(own[:, 3].sum()))
            found.append((row, np.column_stack([before, own[:, 1:]])))
    return found


def _columns(prepared: Prepared, digests: dict[str, str]) -> dict:
    box = dict(zip(("box_row", "box_col", "box_rows", "box_cols"), prepared.box, strict=True))
    return {
        "digest": prepared.digest,
        "row_mm": prepared.spacing_mm[0],
        "col_mm": prepared.spacing_mm[1],
        "own_rows": prepared.own_shape[0],
        "own_cols": prepared.own_shape[1],
        **box,
        "work_rows": prepared.values.shape[0],
        "work_cols": prepared.values.shape[1],
        "mcs": prepared.mcs,
        **{f"{what}_sha256": digest for what, digest in digests.items()},
    }


def _write_array(path: Path, values: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        np.save(file, values)
    digest = file_digest(beside)
    beside.replace(path)
    return digest
