"""Which real film tiles may be trained on, and which are kept for judging."""

import csv
import hashlib
from pathlib import Path

from ..errors import InputError

# The whole films and the calcification crops that results are judged on are these patients'.
JUDGED_PATIENTS = frozenset({"P_00173", "P_00820", "P_00005", "P_00038"})


def training_tiles(folder: Path) -> tuple[Path, ...]:
    """Tiles of a CBIS-DDSM tile folder that training may use, in a fixed order.

    folder: holds `index.csv` (columns tile, patient, also_in_calcification_set) and
    `tiles/`; `seen.csv`, where there is one, names tiles in which calcifications were
    seen. Whole patients are left out: those judged on, those with a tile in `seen.csv`,
    those of the calcification set (their calcifications are real and unlabelled), and
    one in five of the rest, by a hash of the name, for tests of insertion.
    Raises InputError when the folder has no index or no tile remains.
    """
    index = folder / "index.csv"
    if not index.is_file():
        raise InputError(f"{folder}: holds no index.csv; pass the folder of CBIS-DDSM film tiles")
    rows = _rows(index)
    seen_csv = folder / "seen.csv"
    seen_tiles = {row["tile"] for row in _rows(seen_csv)} if seen_csv.is_file() else set()
    seen = {row["patient"] for row in rows if row["tile"] in seen_tiles}
    kept = tuple(
        folder / "tiles" / row["tile"]
        for row in rows
        if row["patient"] not in JUDGED_PATIENTS | seen
        and row["also_in_calcification_set"] == "0"
        and not held_out(row["patient"])
    )
    if not kept:
        raise InputError(f"{index}: lists no tile that training may use; check its columns")
    return kept


def held_out(patient: str) -> bool:
    """True for the fifth of all patients that training never sees."""
    return hashlib.sha256(patient.encode()).digest()[0] % 5 == 0


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
