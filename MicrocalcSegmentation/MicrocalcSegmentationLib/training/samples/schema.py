"""The tables of a sample database, and how one is opened.

A sample is a position and its class. An image of 20 million breast pixels has that many
samples, for each patch side; they are stored as runs: positions of one class and zone that
follow one another in a row. The samples of a group (image, patch side, class, zone) are
numbered from 0 in reading order, and `before` is the number of a run's first, so that any
sample is found by one step in an index. Nothing is approximated: the runs are the samples.
"""

import hashlib
import sqlite3
from pathlib import Path

from ...errors import InputError

SCHEMA_VERSION = 2  # 1 knew no file of ignored pixels, and took them for tissue
APPLICATION_ID = 0x4D435331  # "MCS1", so that another program's database is told apart
_MAPPED_BYTES = 1 << 31  # SQLite maps no more unless it was built to
PART = ".part"  # of a database that is still being built
CACHE = ".cache"

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- A folder of annotated images. spacing: given by the user, "row,col", or empty.
CREATE TABLE datasets (
  id INTEGER PRIMARY KEY, root TEXT NOT NULL UNIQUE, layout TEXT NOT NULL, spacing TEXT NOT NULL
);
-- files: JSON list, relative to the data set's root, the image's own first; files_state: their
-- sizes and times. The columns from `digest` on are NULL until the image is prepared. box: in
-- the image's own pixels; work: the size of the cached arrays, at 0.05 mm.
CREATE TABLE images (
  id INTEGER PRIMARY KEY, dataset INTEGER NOT NULL REFERENCES datasets (id),
  name TEXT NOT NULL UNIQUE, patient TEXT NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL,
  level TEXT NOT NULL, split TEXT NOT NULL, files TEXT NOT NULL, files_state TEXT NOT NULL,
  digest TEXT, row_mm REAL, col_mm REAL, own_rows INTEGER, own_cols INTEGER,
  box_row INTEGER, box_col INTEGER, box_rows INTEGER, box_cols INTEGER,
  work_rows INTEGER, work_cols INTEGER, mcs INTEGER, values_sha256 TEXT, labels_sha256 TEXT
);
CREATE TABLE problems (
  image TEXT NOT NULL, file TEXT NOT NULL, what TEXT NOT NULL, remedy TEXT NOT NULL
);
CREATE TABLE excluded (name TEXT PRIMARY KEY) WITHOUT ROWID;
-- class: 1 to 4 are C1 to C4; 5 lies in a region of cluster level. zone: 0 inside, 1 skin line,
-- 2 chest wall. id: ((image * 1000 + patch_side) * 10 + class) * 10 + zone.
CREATE TABLE groups (
  id INTEGER PRIMARY KEY, image INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  patch_side INTEGER NOT NULL, class INTEGER NOT NULL, zone INTEGER NOT NULL,
  count INTEGER NOT NULL, UNIQUE (patch_side, class, image, zone)
);
-- row, col: of the run's first sample, in the cached arrays; the others follow to the right.
CREATE TABLE runs (
  grp INTEGER NOT NULL REFERENCES groups (id) ON DELETE CASCADE, before INTEGER NOT NULL,
  row INTEGER NOT NULL, col INTEGER NOT NULL, length INTEGER NOT NULL,
  PRIMARY KEY (grp, before)
) WITHOUT ROWID;
-- Samples that a model got wrong on whole training images, for later rounds to learn from.
CREATE TABLE mined (
  network TEXT NOT NULL, patch_side INTEGER NOT NULL,
  image INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  row INTEGER NOT NULL, col INTEGER NOT NULL, class INTEGER NOT NULL,
  score REAL NOT NULL, model TEXT NOT NULL, round INTEGER NOT NULL,
  PRIMARY KEY (network, patch_side, image, row, col)
) WITHOUT ROWID;
"""


def create(path: Path) -> sqlite3.Connection:
    """A new database with empty tables. Not atomic: make it under another name, then move it."""
    connection = _connect(path, read_only=False)
    connection.executescript(TABLES)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return connection


def connect(path: Path, read_only: bool = True) -> sqlite3.Connection:
    """An existing database, of this program and version.

    Raises InputError otherwise.
    """
    path = Path(path)
    if not path.is_file():
        part = path.with_name(path.name + PART)
        remedy = (
            "its building was interrupted, run the same `microcalc samples build` again"
            if part.is_file()
            else "make one with `microcalc samples build`"
        )
        raise InputError(f"{path}: no such sample database; {remedy}")
    connection = _connect(path, read_only)
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path}: not a database, or damaged; build it again") from error
    if application != APPLICATION_ID:
        raise InputError(f"{path}: not a sample database of this program; give another file")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema {version}, this program knows {SCHEMA_VERSION}; build it again"
        )
    return connection


def group_id(image: int, patch_side: int, sample_class: int, zone: int) -> int:
    """The key of a group in `groups` and `runs`."""
    return ((image * 1000 + patch_side) * 10 + sample_class) * 10 + zone


def content_digest(
    connection: sqlite3.Connection, splits: tuple[str, ...] | None = None, kinds=None
) -> str:
    """SHA-256 of all that learning and judging depend on: images, their labels, what was mined.

    splits, kinds: of the images that count; None takes all.
    """
    rows = connection.execute(
        "SELECT split, kind, name, patient, source, level, digest, values_sha256, labels_sha256"
        " FROM images ORDER BY id"
    )
    mined = connection.execute(
        "SELECT split, kind, name, network, patch_side, row, col, class FROM mined"
        " JOIN images ON image = id ORDER BY network, patch_side, image, row, col"
    )
    sides = connection.execute("SELECT value FROM meta WHERE key = 'patch_sides'").fetchone()
    digest = hashlib.sha256(repr(sides).encode())
    for table in (rows, mined):
        for split, kind, *row in table:
            if (splits is None or split in splits) and (kinds is None or kind in kinds):
                digest.update(repr((split, kind, *row)).encode())
    return digest.hexdigest()


def cache_folder(path: Path) -> Path:
    """Where the arrays of a database, or of one being built, lie."""
    return path.with_name(path.name.removesuffix(PART) + CACHE)


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    uri = f"{Path(path).resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    if read_only:  # drawing samples reads pages all over the file, more than SQLite keeps
        connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
    return connection
