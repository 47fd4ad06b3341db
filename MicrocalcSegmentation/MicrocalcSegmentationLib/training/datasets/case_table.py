"""`cases.csv`: what a table says of the images of a folder."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from .annotated import Problem
from .names import stem_of

TABLE = "cases.csv"
_SAYS = ("patient", "kind", "split", "positive")


def read_table(
    root: Path, images: dict[Path, str]
) -> tuple[dict[Path, dict[str, str]], list[Problem]]:
    """Image -> column -> what its rows say; and rows that name no image, several, or disagree.

    images: with their names. A row names its image by its path below the folder or, where
    there is only one of that name, by the file's name; with its ending or without.
    """
    known: dict[Path, dict[str, str]] = defaultdict(dict)
    rows, problems = _rows(root / TABLE)
    by_path, by_name = _index(root, images)
    for row in rows:
        named = (row["image"] or "").strip()
        place = PurePosixPath(named.replace("\\", "/")).as_posix()
        found = by_path.get(place) or by_name.get(place, [])
        if len(found) == 1:
            said = {column: row[column].strip() for column in _SAYS if row.get(column)}
            problems += _disagreements(images[found[0]], named, known[found[0]], said)
            known[found[0]] |= said
        elif found:
            places = ", ".join(path.relative_to(root).as_posix() for path in found)
            what = f"names the image {named}, of which there are {len(found)} ({places})"
            problems.append(Problem(named, TABLE, what, "write its path below the folder"))
        elif any(row.values()):
            what = f"names the image {named}, which is not there"
            problems.append(Problem(named, TABLE, what, "correct the table"))
    return known, problems


def _rows(path: Path) -> tuple[list[dict], list[Problem]]:
    if not path.is_file():
        return [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, csv.Error, UnicodeDecodeError):
        rows = [{}]
    if rows and "image" not in rows[0]:
        what = "not a table with a column 'image'"
        return [], [Problem(TABLE, TABLE, what, "write it as UTF-8 with that column")]
    return rows, []


def _index(root: Path, images: dict[Path, str]) -> tuple[dict[str, list[Path]], ...]:
    """Images by path below the folder, and by file name; with their endings and without."""
    by_path, by_name = defaultdict(list), defaultdict(list)
    for path in images:
        for place in _with_and_without_ending(path.relative_to(root)):
            by_path[place.as_posix()].append(path)
            by_name[place.name].append(path)
    return by_path, by_name


def _with_and_without_ending(place: Path) -> Iterator[Path]:
    yield place
    if stem_of(place) != place.name:
        yield place.with_name(stem_of(place))


def _disagreements(
    name: str, named: str, known: dict[str, str], said: dict[str, str]
) -> list[Problem]:
    return [
        Problem(
            name,
            TABLE,
            f"rows for {named} disagree: {column} {known[column]} and {value}",
            "keep the right one alone",
        )
        for column, value in said.items()
        if known.get(column, value) != value
    ]
