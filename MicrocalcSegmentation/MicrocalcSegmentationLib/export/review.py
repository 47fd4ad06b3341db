"""`review.csv`: what a reader said of each cluster."""

import csv
from pathlib import Path

COLUMNS = ("cluster", "review", "note")


def write_review(rows: list[tuple[int, str, str]], path: Path) -> None:
    """Write a line per cluster: number, "accepted", "rejected" or nothing, and the note.

    Raises OSError.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
