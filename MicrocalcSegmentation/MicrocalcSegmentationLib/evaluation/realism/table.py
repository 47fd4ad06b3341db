"""Simulated against measured, row by row."""

from dataclasses import asdict, dataclass

import numpy as np

from .published import KINDS, SPECKS, SPECTRUM, Range
from .samples import Sample
from .separability import STANDS_OUT_FROM, Separation, separate
from .specks import Specks, pooled
from .spectrum import FREQUENCIES, Spectrum

SCHEMA = "microcalc-realism"
SCHEMA_VERSION = 1
_NEEDED = 10  # MCs or clusters; percentiles of fewer say nothing


@dataclass(frozen=True)
class Row:
    """One statistic of one kind of image.

    measured: on real images, None where nothing comparable was. simulated: the median of
    the images, or the percentile of all MCs; None where nothing could be measured. spread:
    lowest and highest image. count: images, MCs or clusters behind it; with fewer than needed
    it is not judged. remeasured: median, lowest and highest of the real images
    given, by the very same code; None where it does not apply.
    """

    label: str
    kind: str
    measured: Range | None
    simulated: float | None
    spread: tuple[float, float] | None
    count: int
    needed: int = 1
    remeasured: tuple[float, float, float] | None = None

    @property
    def inside(self) -> bool | None:
        """Whether the simulated value lies in the measured range; None where nobody can say."""
        if self.measured is None or self.simulated is None or self.count < self.needed:
            return None
        return self.measured.low <= self.simulated <= self.measured.high


def rows_of(samples: list[Sample], real: dict[str, list[Spectrum]]) -> list[Row]:
    """Every row for every kind that was simulated. real: spectra of real images by kind."""
    rows = []
    for kind in KINDS:
        own = [sample for sample in samples if sample.kind == kind]
        if own:
            spectra = [sample.spectrum for sample in own if sample.spectrum is not None]
            rows += _spectrum_rows(kind, spectra, real.get(kind, []))
            rows += _speck_rows(kind, own)
    return rows


def separations_of(samples: list[Sample]) -> dict[str, list[Separation]]:
    """By kind, and of all together."""
    kinds = {kind: [s for s in samples if s.kind == kind] for kind in KINDS}
    groups = {kind: own for kind, own in kinds.items() if own}
    if len(groups) > 1:
        groups["all"] = samples
    return {name: separate([s.candidates for s in own]) for name, own in groups.items()}


def as_json(rows: list[Row], separations: dict[str, list[Separation]], about: dict) -> dict:
    """Everything, ready for `json.dumps`. about: how the images were made."""
    judged = [row for row in rows if row.inside is not None]
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        **about,
        "rows_inside": sum(row.inside for row in judged),
        "rows_judged": len(judged),
        "rows": [{**asdict(row), "inside": row.inside} for row in rows],
        "separability": {
            name: [asdict(one) for one in found] for name, found in separations.items()
        },
    }


def as_text(rows: list[Row], separations: dict[str, list[Separation]]) -> str:
    """The tables for a terminal, with where each range comes from below."""
    sources = list(dict.fromkeys(row.measured.source for row in rows if row.measured))
    marks = {source: f"[{number}]" for number, source in enumerate(sources, 1)}
    lines = []
    for kind in dict.fromkeys(row.kind for row in rows):
        own = [row for row in rows if row.kind == kind]
        head = (
            kind,
            "real, published",
            "simulated",
            "lowest - highest",
            "",
            "real, measured here",
        )
        lines += [*_aligned([head, *(_cells(row, marks) for row in own)]), ""]
    lines += [f"{mark} {source}" for source, mark in marks.items()]
    others = f"other maxima of {STANDS_OUT_FROM:g} deviations or more"
    lines += ["", f"AUC of one statistic alone, MCs against {others}"]
    for name, found in separations.items():
        head = (name, "all", "95 %", "as many, the strongest", "95 %")
        lines += ["", *_aligned([head, *_separation_cells(found)])]
    return "\n".join(lines)


def _spectrum_rows(kind: str, spectra: list[Spectrum], real: list[Spectrum]) -> list[Row]:
    rows = []
    for label, values in _by_label(spectra).items():
        others = _by_label(real)[label]
        rows.append(
            Row(
                label,
                kind,
                SPECTRUM[kind][label],
                float(np.median(values)) if values else None,
                (min(values), max(values)) if values else None,
                len(values),
                1,
                (float(np.median(others)), min(others), max(others)) if others else None,
            )
        )
    return rows


def _by_label(spectra: list[Spectrum]) -> dict[str, list[float]]:
    """The values of each row, in the order of `published.SPECTRUM`."""
    columns = [
        (one.beta, one.tail_slope, *(one.relative_power[f] for f in FREQUENCIES[1:]))
        for one in spectra
    ]
    labels = list(SPECTRUM["digital"])
    return {label: [column[n] for column in columns] for n, label in enumerate(labels)}


def _speck_rows(kind: str, samples: list[Sample]) -> list[Row]:
    all_specks = pooled([sample.specks for sample in samples])
    rows = []
    for name, published in SPECKS.items():
        values = getattr(all_specks, name)
        values = values[np.isfinite(values)]
        for percentile in published.values:
            measured = published.range_at(percentile) if kind in published.kinds else None
            simulated = float(np.percentile(values, percentile)) if len(values) else None
            label = f"{published.label}, {percentile} %"
            rows.append(Row(label, kind, measured, simulated, None, len(values), _NEEDED))
    return [*rows, _regional_row(kind, all_specks)]


def _regional_row(kind: str, specks: Specks) -> Row:
    """How many are left out of the rows about clusters, which readers' groups have a range for."""
    regions = len(specks.regional_extent_mm)
    found = regions + len(specks.cluster_extent_mm)
    share = regions / found if found else None
    return Row("wider than 2 cm, in no row above: share", kind, None, share, None, found, _NEEDED)


def _cells(row: Row, marks: dict[str, str]) -> tuple[str, ...]:
    few = "too few" if row.count < row.needed else "-"
    verdict = {True: "inside", False: "OUTSIDE", None: few}[row.inside]
    measured = "-"
    if row.measured:
        measured = f"{_span(row.measured.low, row.measured.high)} {marks[row.measured.source]}"
    again = "-" if row.remeasured is None else _span(*row.remeasured[1:])
    spread = "-" if row.spread is None else _span(*row.spread)
    return (row.label, measured, _number(row.simulated), spread, verdict, again)


def _separation_cells(found: list[Separation]) -> list[tuple[str, ...]]:
    names = dict.fromkeys(one.statistic for one in found)
    by_name = {(one.statistic, one.against): one for one in found}
    return [
        (name, *(cell for which in ("all", "strongest") for cell in _auc(by_name[name, which])))
        for name in names
    ]


def _auc(one: Separation) -> tuple[str, str]:
    if one.auc is None:
        return "-", "-"
    interval = "-" if one.interval is None else f"{one.interval[0]:.2f} - {one.interval[1]:.2f}"
    return f"{one.auc:.2f} ({one.mcs} : {one.others})", interval


def _span(low: float, high: float) -> str:
    return f"{_number(low)} - {_number(high)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}" if value < 0.01 else f"{value:.3g}"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
