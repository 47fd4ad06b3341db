"""Which real images may be trained on, and which are kept for judging."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

# The whole films and the calcification crops that results are judged on are these patients'.
JUDGED_PATIENTS = frozenset({"P_00173", "P_00820", "P_00005", "P_00038"})
# Of the six digital mammograms of MONAI's breast density sample data, one of each of these
# densities is learnt from; the others are judged on.
DIGITAL_LEARNT_FROM = ("sample_A4", "sample_B1", "sample_C3")


@dataclass(frozen=True)
class RealTissue:
    """Images without annotated calcifications to insert into; empty to simulate everything.

    film: 8-bit grey tiles at 0.042 to 0.05 mm. digital: whole mammograms at 0.07 mm.
    """

    film: tuple[Path, ...] = ()
    digital: tuple[Path, ...] = ()


def real_tissue(film_tiles: str | None, digital_backgrounds: str | None) -> RealTissue:
    """What training may use of the two folders; of none where None is given.

    Raises InputError as the two functions below do.
    """
    return RealTissue(
        training_tiles(Path(film_tiles)) if film_tiles else (),
        training_backgrounds(Path(digital_backgrounds)) if digital_backgrounds else (),
    )


def training_backgrounds(folder: Path) -> tuple[Path, ...]:
    """The digital mammograms in a folder that training may use, by their names.

    Raises InputError when none of them is there.
    """
    paths = (folder / f"{name}.jpg" for name in DIGITAL_LEARNT_FROM)
    kept = tuple(path for path in paths if path.is_file())
    if not kept:
        names = ", ".join(DIGITAL_LEARNT_FROM)
        raise InputError(f"{folder}: holds none of {names} (.jpg); pass the digital backgrounds")
    return kept


def training_tiles(folder: Path) -> tuple[Path, ...]:
    """Tiles of a CBIS-DDSM tile folder that training may use, in a fixed order.

    folder: holds `index.csv` (columns tile, patient, also_in_calcification_set) and
    `tiles/`; `seen.csv`, where there is one, names tiles in which calcifications were
    seen. Whole patients are left out: those judged on, those with a tile in `seen.csv`,
    those of the calcification set (their calcifications are real and unlabelled), and
    one in five of the rest, by a hash of the name, for tests of insertion.
    Raises InputError when the folder has no index or no tile remains.
    """
    kept = tuple(path for path, patient in _plain_tiles(folder) if not held_out(patient))
    if not kept:
        raise InputError(
            f"{folder / 'index.csv'}: lists no tile that training may use; check its columns"
        )
    return kept


def held_out_images(folder: Path) -> tuple[Path, ...]:
    """The tiles, or the digital mammograms, that no recipe learns from and insertion is tried on.

    Tiles: of the fifth of all patients by hash. Raises InputError when the folder is neither.
    """
    if (folder / "index.csv").is_file():
        return tuple(path for path, patient in _plain_tiles(folder) if held_out(patient))
    samples = sorted(folder.glob("sample_*.jpg"))
    kept = tuple(path for path in samples if path.stem not in DIGITAL_LEARNT_FROM)
    if not kept:
        raise InputError(f"{folder}: neither CBIS-DDSM film tiles nor MONAI's sample mammograms")
    return kept


def _plain_tiles(folder: Path) -> list[tuple[Path, str]]:
    """Tiles and patients without any known calcification, and not judged on as they are."""
    index = folder / "index.csv"
    if not index.is_file():
        raise InputError(f"{folder}: holds no index.csv; pass the folder of CBIS-DDSM film tiles")
    rows = _rows(index)
    seen_csv = folder / "seen.csv"
    seen_tiles = {row["tile"] for row in _rows(seen_csv)} if seen_csv.is_file() else set()
    seen = {row["patient"] for row in rows if row["tile"] in seen_tiles}
    return [
        (folder / "tiles" / row["tile"], row["patient"])
        for row in rows
        if row["patient"] not in JUDGED_PATIENTS | seen and row["also_in_calcification_set"] == "0"
    ]


def held_out(patient: str) -> bool:
    """True for the fifth of all patients that training never sees."""
    return hashlib.sha256(patient.encode()).digest()[0] % 5 == 0


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
