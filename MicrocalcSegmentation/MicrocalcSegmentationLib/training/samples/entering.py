"""Entering images into a database; what an earlier build has of them is kept, mended or dropped."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

from ..datasets import AnnotatedImage, Dataset, Problem
from ..datasets.annotated import MC_LEVEL
from ..datasets.splits import assign_splits

_log = logging.getLogger(__name__)

FIRST_NUMBER = "first_number"  # in `meta`: what a build numbers its images from


@dataclass(frozen=True)
class _Row:
    """An image that the database has. file: its own, which may be gone."""

    name: str
    patient: str
    split: str
    root: str
    file: Path


def contradictions(
    connection: Connection, datasets: Sequence[Dataset], images: Sequence[AnnotatedImage]
) -> list[Problem]:
    """What these images say against those that other data sets gave to an earlier build."""
    elsewhere = _elsewhere(connection, datasets, images)
    by_name = {row.name: row for row in elsewhere}
    by_patient = {row.patient: row for row in elsewhere}
    problems = []
    for image in images:
        file = image.files[0].name
        alike, known = by_name.get(image.name), by_patient.get(image.patient)
        if alike is not None:
            what = f"another image of the database is called {image.name} ({alike.file})"
            remedy = "rename one and its annotation, or exclude this one"
            problems.append(Problem(image.name, file, what, remedy))
        if known is not None and image.split not in (None, known.split):
            what = (
                f"patient {image.patient} is stated to be in {image.split}, but in {known.split} "
                f"for {known.name} of an earlier build"
            )
            remedy = "state one split for both, or exclude this one"
            problems.append(Problem(image.name, file, what, remedy))
    return problems


def enter(
    connection: Connection,
    datasets: Sequence[Dataset],
    images: Sequence[AnnotatedImage],
    shares: tuple[int, int, int],
    seed: int,
) -> None:
    """Put in every image, without its samples yet; call inside a transaction.

    Of these data sets, images that are gone are dropped, and changed ones entered anew, under
    another number: the arrays of an image that was built before are never written over. Other
    data sets' images stay. shares, seed: of the splits, see `assign_splits`.
    """
    known = _known_splits(connection, images)
    _drop(connection, datasets, images)
    for dataset in datasets:
        connection.execute(
            "INSERT INTO datasets (root, layout, spacing) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET layout = excluded.layout, spacing = excluded.spacing",
            _described(dataset),
        )
    ids = dict(connection.execute("SELECT root, id FROM datasets"))
    splits = assign_splits(images, shares, seed, known)
    roots = {id(image): dataset.root for dataset in datasets for image in dataset.images}
    for image in images:
        root = roots[id(image)]
        _enter_one(connection, image, (ids[str(root)], root), splits[image.patient])


def _elsewhere(connection, datasets, images) -> list[_Row]:
    """Images of other data sets, but for those of a folder that was moved here since."""
    here, names = {str(d.root) for d in datasets}, {image.name for image in images}
    return [
        row
        for row in _rows(connection)
        if row.root not in here and (row.name not in names or row.file.is_file())
    ]


def _rows(connection) -> list[_Row]:
    rows = connection.execute(
        "SELECT name, patient, split, root, files FROM images"
        " JOIN datasets ON dataset = datasets.id ORDER BY images.id"
    )
    return [
        _Row(name, patient, split, root, Path(root) / json.loads(files)[0])
        for name, patient, split, root, files in rows
    ]


def _known_splits(connection, images) -> dict[str, str]:
    """Patient -> split of an earlier build, but of those for whom another one may be stated."""
    now = {image.name: image.patient for image in images}
    stated = {image.patient for image in images if image.split is not None}
    return {
        row.patient: row.split
        for row in _rows(connection)
        if row.patient not in stated and now.get(row.name, row.patient) == row.patient
    }


def _drop(connection, datasets, images) -> None:
    kept = {row.name for row in _elsewhere(connection, datasets, images)}
    described = set(connection.execute("SELECT root, layout, spacing FROM datasets"))
    same = [dataset for dataset in datasets if _described(dataset) in described]
    names = {image.name for image in images}
    kept |= {image.name for dataset in same for image in dataset.images if image.name in names}
    dropped = [row.name for row in _rows(connection) if row.name not in kept]
    connection.executemany("DELETE FROM images WHERE name = ?", [(name,) for name in dropped])
    if gone := [name for name in dropped if name not in names]:
        _log.warning(
            "no longer in their data sets, or excluded, and dropped from the database: %s",
            ", ".join(gone),
        )


def _described(dataset: Dataset) -> tuple[str, str, str]:
    spacing = "" if dataset.spacing_mm is None else ",".join(f"{mm!r}" for mm in dataset.spacing_mm)
    return str(dataset.root), dataset.layout, spacing


def _enter_one(connection, image: AnnotatedImage, dataset: tuple[int, Path], split: str) -> None:
    number, root = dataset
    wanted = {
        "dataset": number,
        "level": image.level,
        "files": json.dumps([file.relative_to(root).as_posix() for file in image.files]),
        "files_state": json.dumps([[f.stat().st_size, f.stat().st_mtime_ns] for f in image.files]),
    }
    said = {"patient": image.patient, "source": image.source, "kind": image.kind, "split": split}
    *same, mcs = connection.execute(
        f"SELECT {', '.join(wanted)}, mcs FROM images WHERE name = ?", (image.name,)
    ).fetchone() or (None,)
    if same == list(wanted.values()) and not _denied(image, mcs):
        columns = ", ".join(f"{column} = ?" for column in said)
        connection.execute(
            f"UPDATE images SET {columns} WHERE name = ?", (*said.values(), image.name)
        )
        return
    (free,) = connection.execute(
        "SELECT MAX((SELECT COALESCE(MAX(id), 0) + 1 FROM images), value) FROM"
        " (SELECT CAST(value AS INTEGER) AS value FROM meta WHERE key = ?)",
        (FIRST_NUMBER,),
    ).fetchone()
    connection.execute("DELETE FROM images WHERE name = ?", (image.name,))
    row = {"id": free, "name": image.name, **wanted, **said}
    connection.execute(
        f"INSERT INTO images ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
        tuple(row.values()),
    )


def _denied(image: AnnotatedImage, mcs: int | None) -> bool:
    """Whether the data set now says otherwise than the marks: to be examined, and refused."""
    stated = image.positive is not None and image.level == MC_LEVEL and mcs is not None
    return stated and bool(mcs) != image.positive
