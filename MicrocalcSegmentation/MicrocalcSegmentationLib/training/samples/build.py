"""Making a sample database from data sets: resumable, and only from sound data."""

import json
import logging
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
from ..datasets.splits import SHARES, split_problems
from . import schema
from .entering import FIRST_NUMBER, contradictions, enter
from .preparing import examine
from .writing import LABELS, VALUES, Entry, array_path, make_entry, write_entry

_log = logging.getLogger(__name__)

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
            problems += _duplicates(image.name, image.files[0].name, prepared.digest, digests)
    return tuple(problems)


def build(
    datasets: Sequence[Dataset], output: Path, options: BuildOptions, progress: Progress
) -> Path:
    """Make or extend the database at `output`; its arrays go to `<output>.cache` beside it.

    Works in `<output>.part`, so that what is at `output` is always whole; called again after
    an interruption, it goes on with the first image that is not in yet. What an earlier build
    has from other data sets is kept, with its splits; of these ones, images that are gone are
    dropped, and changed files, tables and splits are taken.
    Raises UnsoundData with every problem of the data; images without any are kept in the
    `.part` for the next call with the same data sets.
    """
    output = Path(output).resolve()
    images, problems = _selected(datasets, options)
    if problems:
        raise UnsoundData(problems)
    if not images:
        raise InputError(f"{output}: every image is excluded; leave some in")
    part = output.with_name(output.name + schema.PART)
    with closing(_open_part(output, part, datasets, options)) as connection:
        problems = contradictions(connection, datasets, images)
        if problems:
            raise UnsoundData(problems)
        _enter(connection, datasets, images, options)
        _fill(connection, images, part, options, progress)
        problems = _stored_problems(connection)
        if problems:
            raise UnsoundData(problems)
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        part.unlink()
        raise InputError(f"{part}: damaged ({verdict}); it was removed, build it again")
    if not _same_call(part, _begun(output, datasets)):
        raise InputError(f"{output}: was mined or built while this build ran; give it again")
    part.replace(output)
    with closing(schema.connect(output)) as connection:
        _clear_cache(connection, schema.cache_folder(output))
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


def _open_part(
    output: Path, part: Path, datasets: Sequence[Dataset], options: BuildOptions
) -> sqlite3.Connection:
    made_with = {
        "patch_sides": json.dumps(sorted(options.patch_sides)),
        "shares": json.dumps(options.shares),
        "seed": json.dumps(options.seed),
    }
    if output.is_file():
        _check_made_with(output, output, made_with)
    begun = _begun(output, datasets)
    if part.is_file() and not _same_call(part, begun):
        part.unlink()
    if part.is_file():
        _check_made_with(part, output, made_with)
    else:
        _begin(output, part, {**made_with, **begun})
    return schema.connect(part, read_only=False)


def _begun(output: Path, datasets: Sequence[Dataset]) -> dict[str, str]:
    """What a `.part` goes on from: another call's is of no use, and none of it may remain."""
    sets = json.dumps(sorted(str(dataset.root) for dataset in datasets))
    if not output.is_file():
        return {"sets": sets, "extends": "", FIRST_NUMBER: "1"}
    with closing(schema.connect(output)) as connection:
        (last,) = connection.execute("SELECT COALESCE(MAX(id), 0) FROM images").fetchone()
        digest = schema.content_digest(connection)
    return {"sets": sets, "extends": digest, FIRST_NUMBER: str(last + 1)}


def _same_call(part: Path, begun: dict[str, str]) -> bool:
    with closing(schema.connect(part)) as connection:
        stored = dict(connection.execute("SELECT key, value FROM meta"))
    return all(stored.get(key) == value for key, value in begun.items())


def _begin(output: Path, part: Path, meta: dict[str, str]) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    beside = part.with_name(part.name + ".new")
    beside.unlink(missing_ok=True)
    if output.is_file():
        shutil.copyfile(output, beside)
    opened = schema.connect(beside, False) if output.is_file() else schema.create(beside)
    with closing(opened) as connection, connection:
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
    beside.replace(part)


def _check_made_with(path: Path, output: Path, made_with: dict[str, str]) -> None:
    with closing(schema.connect(path)) as connection:
        stored = dict(connection.execute("SELECT key, value FROM meta"))
    for key, value in made_with.items():
        if stored.get(key) != value:
            raise InputError(
                f"{output}: was begun with {key} {stored.get(key)}, not {value}; "
                "give what it was begun with, or another --output"
            )


def _enter(connection, datasets, images: list[AnnotatedImage], options: BuildOptions) -> None:
    with connection:
        connection.execute("DELETE FROM problems")
        connection.executemany(
            "INSERT OR IGNORE INTO excluded VALUES (?)", ((n,) for n in sorted(options.exclude))
        )
        enter(connection, datasets, images, options.shares, options.seed)


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
                ((p.image, p.file, p.what, p.remedy) for p in problems if not p.harmless),
            )
        for problem in problems:
            if problem.harmless:
                _log.warning("%s", problem)
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


def _stored_problems(connection) -> list[Problem]:
    rows = connection.execute("SELECT image, file, what, remedy FROM problems")
    problems = [Problem(*row) for row in rows]
    digests: dict[str, str] = {}
    rows = connection.execute(
        "SELECT name, files, digest FROM images WHERE digest NOT NULL ORDER BY id"
    )
    for name, files, digest in rows:
        problems += _duplicates(name, Path(json.loads(files)[0]).name, digest, digests)
    return problems


def _duplicates(name: str, file: str, digest: str, seen: dict[str, str]) -> list[Problem]:
    first = seen.setdefault(digest, name)
    if first == name:
        return []
    return [Problem(name, file, f"the same picture as {first}", "exclude one of the two")]


def _clear_cache(connection, cache: Path) -> None:
    """Remove the arrays of images that were changed or dropped."""
    numbers = [number for (number,) in connection.execute("SELECT id FROM images")]
    kept = {array_path(cache, number, what) for number in numbers for what in (VALUES, LABELS)}
    for path in set(cache.glob("[0-9]*-*")) - kept:
        path.unlink()
