"""Drawing samples from a database, and cutting their patches out of the cached images."""

import json
import sqlite3
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...errors import InputError
from . import schema
from .classes import CLASSES, OUTSIDE, ZONES
from .preparing import LEVELS_PER_DEVIATION
from .writing import LABELS, VALUES, array_path, file_digest

_OPEN_IMAGES = 512  # mapped at once; a map costs address space, not memory
_FOUND_AT_ONCE = 256  # samples looked up by one statement: a quarter of the time of one each


@dataclass(frozen=True)
class Selection:
    """Which samples to draw from; None takes all.

    patch_side: N, one that the database was built for. classes, zones: see `classes`.
    sources, kinds, splits, levels, names: of the images.
    """

    patch_side: int
    classes: tuple[int, ...] | None = None
    splits: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    zones: tuple[int, ...] | None = None
    levels: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class StoredImage:
    """An image of the database. shape: of its arrays, (rows, cols) at 0.05 mm."""

    number: int
    name: str
    patient: str
    source: str
    kind: str
    level: str
    split: str
    shape: tuple[int, int]
    mcs: int


class Samples:
    """A sample database, opened for reading. Use it from one thread at a time.

    kinds: of image; all others are as if they were not there. None takes all.
    """

    def __init__(self, path: Path, kinds: tuple[str, ...] | None = None):
        """Raises InputError when it is missing, of another version, or lacks its cache or kind."""
        self.path = Path(path)
        self._connection = schema.connect(self.path)
        self._cache = schema.cache_folder(self.path)
        if not self._cache.is_dir():
            raise InputError(
                f"{self._cache}: missing; it belongs to {self.path.name}, restore it or build again"
            )
        meta = dict(self._connection.execute("SELECT key, value FROM meta"))
        self.patch_sides: tuple[int, ...] = tuple(json.loads(meta["patch_sides"]))
        self.split_seed: int = json.loads(meta["seed"])
        self._mapped = lru_cache(2 * _OPEN_IMAGES)(self._map)
        self.kinds: tuple[str, ...] = self._kinds_of(kinds)

    def _kinds_of(self, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
        rows = self._connection.execute("SELECT DISTINCT kind FROM images ORDER BY kind")
        known = tuple(kind for (kind,) in rows)
        for kind in wanted or ():
            if kind not in known:
                raise InputError(
                    f"{self.path.name}: holds no image of kind {kind!r}; use {', '.join(known)}"
                )
        return known if wanted is None else tuple(wanted)

    def close(self) -> None:
        """Close the database; the object is of no use afterwards."""
        self._connection.close()
        self._mapped.cache_clear()

    def images(self, splits: tuple[str, ...] | None = None) -> tuple[StoredImage, ...]:
        """The images, in the order they were entered."""
        rows = self._connection.execute(
            "SELECT id, name, patient, source, kind, level, split, work_rows, work_cols, mcs"
            " FROM images WHERE digest NOT NULL ORDER BY id"
        )
        images = [StoredImage(*row[:7], (row[7], row[8]), row[9]) for row in rows]
        return tuple(
            image
            for image in images
            if image.kind in self.kinds and (splits is None or image.split in splits)
        )

    def digest(self, splits: tuple[str, ...] | None = None) -> str:
        """SHA-256 of what is in it, of these splits: images, labels and mined samples."""
        return schema.content_digest(self._connection, splits, self.kinds)

    def files(self, number: int) -> tuple[tuple[Path, ...], str, tuple[float, float] | None]:
        """(files, layout, spacing given by the user) of an image, to read it again whole."""
        files, root, layout, spacing = self._connection.execute(
            "SELECT files, root, layout, spacing FROM images JOIN datasets ON dataset ="
            " datasets.id WHERE images.id = ?",
            (number,),
        ).fetchone()
        stated = tuple(float(part) for part in spacing.split(",")) if spacing else None
        return tuple(Path(root) / name for name in json.loads(files)), layout, stated

    def select(self, selection: Selection) -> "Drawable":
        """The samples that fit. Raises InputError for a patch side the database lacks."""
        if selection.patch_side not in self.patch_sides:
            known = ", ".join(str(side) for side in self.patch_sides)
            raise InputError(
                f"{self.path.name}: holds no samples for patches of {selection.patch_side}, only "
                f"of {known}; build it again with --patch-sides"
            )
        conditions, values = ["patch_side = ?"], [selection.patch_side]
        for column, wanted in (
            ("class", selection.classes),
            ("split", selection.splits),
            ("source", selection.sources),
            ("kind", self.kinds),
            ("kind", selection.kinds),
            ("zone", selection.zones),
            ("level", selection.levels),
            ("name", selection.names),
        ):
            if wanted is not None:
                conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
                values += wanted
        rows = self._connection.execute(
            "SELECT groups.id, image, class, count FROM groups JOIN images ON image = images.id"
            f" WHERE {' AND '.join(conditions)} ORDER BY groups.id",
            values,
        ).fetchall()
        return Drawable(self._connection, np.array(rows, np.int64).reshape(-1, 4))

    def mined(self, network: str, patch_side: int, split: str = "train") -> np.ndarray:
        """(n, 4) int64 of image, row, col, class: what mining found for a network."""
        rows = self._connection.execute(
            "SELECT kind, image, row, col, class FROM mined JOIN images ON image = images.id"
            " WHERE network = ? AND patch_side = ? AND split = ?"
            " ORDER BY image, mined.row, mined.col",
            (network, patch_side, split),
        )
        places = [place for kind, *place in rows if kind in self.kinds]
        return np.array(places, np.int64).reshape(-1, 4)

    def counts(self) -> list[tuple[str, str, int, str, str, int]]:
        """(split, kind, patch side, class, zone, samples), for people to read."""
        rows = self._connection.execute(
            "SELECT split, kind, patch_side, class, zone, SUM(count) FROM groups"
            " JOIN images ON image = images.id GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
        )
        return [(s, k, side, CLASSES[c], ZONES[z], n) for s, k, side, c, z, n in rows]

    def squares(self, positions: np.ndarray, side: int, what: str = VALUES) -> np.ndarray:
        """(n, side, side) around positions, (n, 3 or 4) of image, row, col; 0 beyond the image.

        what: "values" for float32, normalised; "labels" for uint8.
        """
        out = np.zeros((len(positions), side, side), np.int16 if what == VALUES else np.uint8)
        half = side // 2
        for square, (number, row, col) in zip(out, positions[:, :3].tolist(), strict=True):
            array = self.array(number, what)
            top, left = row - half, col - half
            part = array[max(0, top) : top + side, max(0, left) : left + side]
            at_row, at_col = max(0, -top), max(0, -left)
            square[at_row : at_row + part.shape[0], at_col : at_col + part.shape[1]] = part
        return out * np.float32(1 / LEVELS_PER_DEVIATION) if what == VALUES else out

    def array(self, number: int, what: str) -> np.ndarray:
        """A whole image as it is cached: "values", int16, or "labels"; see `Prepared`.

        Mapped from its file. Raises InputError when that is missing.
        """
        return self._mapped(number, what)

    def _map(self, number: int, what: str) -> np.ndarray:
        path = array_path(self._cache, number, what)
        try:
            return np.asarray(np.load(path, mmap_mode="r"))  # slices of a memmap are slow
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: missing or damaged; build the database again") from error

    def verify(self) -> list[str]:
        """What is wrong with the database or its cache: sentences, none when all is well."""
        faults = [
            f"{self.path.name}: {row[0]}; build it again"
            for row in self._connection.execute("PRAGMA integrity_check")
            if row[0] != "ok"
        ]
        wrong = self._connection.execute(
            "SELECT groups.id FROM groups LEFT JOIN runs ON grp = groups.id GROUP BY groups.id"
            " HAVING COALESCE(SUM(length), 0) <> count"
            " OR COALESCE(MAX(before + length), 0) <> count"
        )
        faults += [
            f"{self.path.name}: group {g} has lost samples; build it again" for (g,) in wrong
        ]
        columns = "id, values_sha256, labels_sha256"
        rows = self._connection.execute(f"SELECT {columns} FROM images WHERE digest NOT NULL")
        for number, *digests in rows.fetchall():
            for what, digest in zip((VALUES, LABELS), digests, strict=True):
                path = array_path(self._cache, number, what)
                if not path.is_file() or file_digest(path) != digest:
                    faults.append(f"{path.name}: missing or changed; build the database again")
        return faults

    def labels_near(self, positions: np.ndarray, reach: int) -> np.ndarray:
        """(n, 2 reach + 1, 2 reach + 1) uint8: what the pixels around each position are."""
        return self.squares(positions, 2 * reach + 1, LABELS)

    def is_breast(self, number: int) -> np.ndarray:
        """(rows, cols) bool."""
        return self.array(number, LABELS) != OUTSIDE


class Drawable:
    """Samples of a selection, each as likely as any other.

    count: how many there are.
    """

    def __init__(self, connection: sqlite3.Connection, groups: np.ndarray):
        self._connection = connection
        self._groups = groups
        self._ends = np.cumsum(groups[:, 3])
        self.count = int(self._ends[-1]) if len(groups) else 0

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """(count, 4) int64 of image, row, col, class, with replacement."""
        return self.at(rng.integers(self.count, size=count))

    def at(self, numbers: np.ndarray) -> np.ndarray:
        """The samples of these numbers, from 0 to count - 1."""
        which = np.searchsorted(self._ends, numbers, side="right")
        within = numbers - (self._ends[which] - self._groups[which, 3])
        group, image, sample_class, _ = self._groups[which].T
        rows, cols = np.empty_like(within), np.empty_like(within)
        for start in range(0, len(within), _FOUND_AT_ONCE):
            part = slice(start, start + _FOUND_AT_ONCE)
            rows[part], cols[part] = self._find(group[part], within[part])
        return np.stack([image, rows, cols, sample_class], axis=1)

    def _find(self, groups: np.ndarray, within: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of samples, numbered within their groups: (n,) each."""
        asked = ", ".join(f"({place}, ?, ?)" for place in range(len(groups)))
        # A subquery gives one value: with three in it, one search is enough. No image has 65,536
        # rows (3 m), and no group two thousand million samples.
        found = self._connection.execute(
            f"WITH asked (place, sought, number) AS (VALUES {asked})"
            " SELECT (SELECT (before << 32) | (row << 16) | col FROM runs"
            " WHERE grp = sought AND before <= number ORDER BY before DESC LIMIT 1)"
            " FROM asked ORDER BY place",
            np.stack([groups, within], axis=1).ravel().tolist(),
        ).fetchall()
        runs = np.array(found, np.int64)[:, 0]
        return runs >> 16 & 0xFFFF, (runs & 0xFFFF) + within - (runs >> 32)
