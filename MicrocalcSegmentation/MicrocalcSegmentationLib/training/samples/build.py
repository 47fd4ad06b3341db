"""Making a sample database from data sets: resumable, and only from sound data."""

import json
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from ...errors import InputError
from ...progress import Progress
from ..datasets import AnnotatedImage, Dataset, Problem
from ..datasets.splits import SHARES, assign_splits, split_problems
from . import schema
from .preparing import examine
from .writing import Entry, make_entry, write_entry

PATCH_SIDES = (29, 39, 49)  # Valvano et al. 2019 tried these three


@dataclass(frozen=True)
class BuildOptions:
    """patch_sides: of the samples. exclude: names of images to leave out.

    shares, seed: of the splits. workers: processes; None takes one per core.
    """

    patch_sides: tuple[int, ...] = PATCH_SIDES
    shares: tuple[int, int, int] = SHARES
    seed: int = 0
    exclude: frozenset[str] = frozenset()
    workers: int | None = None


class UnsoundData(InputError):
    """Data sets with problems; the sentence lists them all."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in problems)
        names = ",".join(dict.fromkeys(problem.image for problem in problems))
        super().__init__(
            f"{len(problems)} problems; nothing is built until they are mended or the images "
            f"are left out with --exclude {names}\n{lines}"
        )


def check(
    datasets: Sequence[Dataset], options: BuildOptions, progress: Progress
) -> tuple[Problem, ...]:
    """All that is wrong with data sets, every image read."""
    images, problems = _selected(datasets, options)
    digests: dict[str, str] = {}
    for number, image in enumerate(images, 1):
        progress.report(number / len(images), f"{image.name} ({number} of {len(images)})")
        prepared, found = examine(image)
        problems += found
        if prepared is not None:
            problems += _duplicates(image, prepared.digest, digests)
    return tuple(problems)


def build(
    datasets: Sequence[Dataset], output: Path, options: BuildOptions, progress: Progress
) -> Path:
    """Make or extend the database at `output`; its arrays go to `<output>.cache` beside it.

    Works in `<output>.part`, so that what is at `output` is always whole; called again after
    an interruption, it goes on with the first image that is not in yet. Images that an
    earlier build has are kept with their splits.
    Raises UnsoundData with every problem of the data; images without any are kept in the
    `.part` for the next call.
    """
    output = Path(output).resolve()
    images, problems = _selected(datasets, options)
    if problems:
        raise UnsoundData(problems)
    if not images:
        raise InputError(f"{output}: every image is excluded; leave some in")
    part = output.with_name(output.name + schema.PART)
    with closing(_open_part(output, part, options)) as connection:
        _enter(connection, datasets, images, options)
        _fill(connection, images, part, options, progress)
        problems = _stored_problems(connection, images)
        if problems:
            raise UnsoundData(problems)
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        part.unlink()
        raise InputError(f"{part}: damaged ({verdict}); it was removed, build it again")
    part.replace(output)
    return output


def _selected(
    datasets: Sequence[Dataset], options: BuildOptions
) -> tuple[list[AnnotatedImage], list[Problem]]:
    """Images that are not excluded, and what their names and tables show to be wrong."""
    images = [i for d in datasets for i in d.images if i.name not in options.exclude]
    problems = [p for d in datasets for p in d.problems if p.image not in options.exclude]
    problems += split_problems(images)
    for name, count in Counter(image.name for image in images).items():
        if count > 1:
            file = [image for image in images if image.name == name][-1].files[0].name
            what = f"{count} images are called {name}"
            problems.append(Problem(name, file, what, "rename one, and its annotation"))
    known = {i.name for d in datasets for i in d.images}
    known |= {p.image for d in datasets for p in d.problems}
    for name in sorted(options.exclude - known):
        problems.append(Problem(name, name, "excluded, but there is none", "correct --exclude"))
    return images, problems


def _open_part(output: Path, part: Path, options: BuildOptions) -> sqlite3.Connection:
    if not part.is_file() and output.is_file():
        beside = part.with_name(part.name + ".copy")
        shutil.copyfile(output, beside)
        beside.replace(part)
    made_with = {
        "patch_sides": json.dumps(sorted(options.patch_sides)),
        "shares": json.dumps(options.shares),
        "seed": json.dumps(options.seed),
    }
    if not part.is_file():
        output.parent.mkdir(parents=True, exist_ok=True)
        beside = part.with_name(part.name + ".new")
        beside.unlink(missing_ok=True)
        with closing(schema.create(beside)) as connection, connection:
            connection.executemany("INSERT INTO meta VALUES (?, ?)", made_with.items())
        beside.replace(part)
    connection = schema.connect(part, read_only=False)
    stored = dict(connection.execute("SELECT key, value FROM meta"))
    for key, value in made_with.items():
        if stored.get(key) != value:
            connection.close()
            raise InputError(
                f"{output}: was begun with {key} {stored.get(key)}, not {value}; "
                "give what it was begun with, or another --output"
            )
    return connection


def _enter(connection, datasets, images: list[AnnotatedImage], options: BuildOptions) -> None:
    """Put in every image, without its samples yet; drop those that are gone or changed."""
    with connection:
        for dataset in datasets:
            connection.execute(
                "INSERT OR IGNORE INTO datasets (root, layout, spacing) VALUES (?, ?, ?)",
                (str(dataset.root), dataset.layout, _spacing_text(dataset)),
            )
        ids = dict(connection.execute("SELECT root, id FROM datasets"))
        connection.executemany(
            "DELETE FROM images WHERE name = ?", ((name,) for name in sorted(options.exclude))
        )
        connection.execute("DELETE FROM problems")
        connection.executemany(
            "INSERT OR IGNORE INTO excluded VALUES (?)", ((n,) for n in sorted(options.exclude))
        )
        stored = dict(connection.execute("SELECT patient, split FROM images"))
        splits = assign_splits(images, options.shares, options.seed, stored)
        roots = {id(i): dataset.root for dataset in datasets for i in dataset.images}
        for image in images:
            root = roots[id(image)]
            _enter_one(connection, image, (ids[str(root)], root), splits[image.patient])


def _enter_one(connection, image: AnnotatedImage, dataset: tuple[int, Path], split: str) -> None:
    state = json.dumps([[f.stat().st_size, f.stat().st_mtime_ns] for f in image.files])
    same = connection.execute(
        "SELECT 1 FROM images WHERE name = ? AND files_state = ?", (image.name, state)
    ).fetchone()
    if same:
        return
    number, root = dataset
    files = json.dumps([file.relative_to(root).as_posix() for file in image.files])
    row = (number, image.name, image.patient, image.source, image.kind, image.level, split)
    connection.execute("DELETE FROM images WHERE name = ?", (image.name,))
    connection.execute(
        "INSERT INTO images (dataset, name, patient, source, kind, level, split, files,"
        " files_state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, files, state),
    )


def _spacing_text(dataset: Dataset) -> str:
    return "" if dataset.spacing_mm is None else ",".join(f"{mm!r}" for mm in dataset.spacing_mm)


def _fill(connection, images, part: Path, options: BuildOptions, progress: Progress) -> None:
    by_name = {image.name: image for image in images}
    rows = connection.execute("SELECT id, name FROM images WHERE digest IS NULL ORDER BY id")
    waiting = [(number, by_name[name]) for number, name in rows if name in by_name]
    done = len(images) - len(waiting)
    cache = schema.cache_folder(part)
    for (number, image), (entry, problems) in zip(
        waiting, _entries(waiting, cache, options), strict=True
    ):
        with connection:
            if entry is not None:
                write_entry(connection, number, entry)
            connection.executemany(
                "INSERT INTO problems VALUES (?, ?, ?, ?)",
                ((p.image, p.file, p.what, p.remedy) for p in problems),
            )
        done += 1
        progress.report(done / len(images), f"{image.name} ({done} of {len(images)})")


def _entries(
    waiting: Sequence[tuple[int, AnnotatedImage]], cache: Path, options: BuildOptions
) -> Iterator[tuple[Entry | None, tuple[Problem, ...]]]:
    """In order, so that the same images give the same database."""
    sides = tuple(sorted(options.patch_sides))
    workers = min(options.workers or os.cpu_count() or 1, len(waiting))
    if workers <= 1:
        for number, image in waiting:
            yield make_entry(image, number, sides, cache)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs: list = []
        left = iter(waiting)
        try:
            for number, image in _first(left, 2 * workers):
                jobs.append(pool.submit(make_entry, image, number, sides, cache))
            while jobs:
                yield jobs.pop(0).result()
                for number, image in _first(left, 1):
                    jobs.append(pool.submit(make_entry, image, number, sides, cache))
        finally:
            pool.shutdown(cancel_futures=True)


def _first(items: Iterator, count: int) -> Iterable:
    return [item for _, item in zip(range(count), items, strict=False)]


def _stored_problems(connection, images: list[AnnotatedImage]) -> list[Problem]:
    problems = [
        Problem(*row)
        for row in connection.execute("SELECT image, file, what, remedy FROM problems")
    ]
    by_name = {image.name: image for image in images}
    digests: dict[str, str] = {}
    rows = connection.execute("SELECT name, digest FROM images WHERE digest NOT NULL ORDER BY id")
    for name, digest in rows:
        if name in by_name:
            problems += _duplicates(by_name[name], digest, digests)
    return problems


def _duplicates(image: AnnotatedImage, digest: str, seen: dict[str, str]) -> list[Problem]:
    first = seen.setdefault(digest, image.name)
    if first == image.name:
        return []
    what = f"the same picture as {first}"
    return [Problem(image.name, image.files[0].name, what, "exclude one of the two")]
