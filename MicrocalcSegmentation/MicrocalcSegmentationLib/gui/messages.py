"""What the window and its worker tell each other: JSON for all but the arrays.

A request is {"do": ..., "job": number, ...}, an answer {"event": ..., "job": number, ...},
each on a line of its own. The arrays are in the job's `Block`; the pixels of MCs, few as they
are, come as text.
"""

import base64
from collections.abc import Generator
from dataclasses import asdict

import numpy as np

from ..export.segments import Marked, marked
from ..findings import Calcification, Cluster, Findings, Scores
from ..geometry import Geometry
from ..mammogram import Mammogram, Source
from ..mrml.steps import bands_of, finished
from ..settings import Settings
from .blocks import Block

_PLAIN = ("magnification", "view", "laterality", "presentation")


def pack_mammogram(mammogram: Mammogram) -> dict:
    """All of it but the arrays."""
    return {
        "geometry": asdict(mammogram.geometry),
        "source": asdict(mammogram.source),
        "has_padding": mammogram.valid is not None,
        **{name: getattr(mammogram, name) for name in _PLAIN},
    }


def unpack_mammogram(packed: dict, block: Block) -> Mammogram:
    """The mammogram on the block's own arrays."""
    geometry = packed["geometry"]
    return Mammogram(
        pixels=block["pixels"],
        geometry=Geometry(
            tuple(geometry["spacing_mm"]),
            tuple(geometry["origin_lps"]),
            tuple(tuple(axis) for axis in geometry["directions_lps"]),
            geometry["slice_thickness_mm"],
        ),
        source=Source(**packed["source"]),
        valid=block["valid"] if packed["has_padding"] else None,
        **{name: packed[name] for name in _PLAIN},
    )


def store_scores(scores: Scores, block: Block) -> dict:
    """Put the arrays into the block; what remains is returned."""
    for name in ("probability", "deviation", "breast", "candidates"):
        np.copyto(block[name], getattr(scores, name))
    return {
        "model_name": scores.model_name,
        "model_version": scores.model_version,
        "settings": asdict(scores.settings),
        "odds_divisor": scores.odds_divisor,
        "arteries": [artery.tolist() for artery in scores.arteries],
        "arteries_model": scores.arteries_model,
    }


def unpack_scores(packed: dict, mammogram: Mammogram, block: Block) -> Scores:
    """The scores on the block's own arrays."""
    return Scores(
        mammogram=mammogram,
        breast=block["breast"],
        candidates=block["candidates"],
        probability=block["probability"],
        deviation=block["deviation"],
        model_name=packed["model_name"],
        model_version=packed["model_version"],
        settings=Settings(**packed["settings"]),
        odds_divisor=packed["odds_divisor"],
        arteries=tuple(np.array(places) for places in packed["arteries"]),
        arteries_model=packed["arteries_model"],
    )


def pack_findings(findings: Findings) -> dict:
    """MCs, clusters, settings, and the few pixels that are marked."""
    on_mcs = marked(findings.labels)
    return {
        "calcifications": [asdict(mc) for mc in findings.calcifications],
        "clusters": _plain(findings.clusters),
        "vascular": _plain(findings.vascular),
        "settings": asdict(findings.settings),
        "places": _text_of(on_mcs.places),
        "numbers": _text_of(on_mcs.numbers),
    }


def unpack_findings(packed: dict, scores: Scores) -> tuple[Findings, Marked]:
    """The findings with labels of their own, and which pixels of them are marked."""
    return finished(unpack_findings_in_steps(packed, scores))


def unpack_findings_in_steps(
    packed: dict, scores: Scores
) -> Generator[None, None, tuple[Findings, Marked]]:
    """As `unpack_findings`, in short steps."""
    settings = Settings(**packed["settings"])
    on_mcs = Marked(_numbers_in(packed["places"]), _numbers_in(packed["numbers"]))
    labels = np.empty(scores.probability.shape, np.int32)
    for band in bands_of(labels):
        labels[band] = 0
        yield
    labels.ravel()[on_mcs.places] = on_mcs.numbers
    findings = Findings(
        mammogram=scores.mammogram,
        probability=scores.probability,
        labels=labels,
        breast=scores.breast,
        candidates=scores.candidates,
        calcifications=tuple(Calcification(**mc) for mc in packed["calcifications"]),
        clusters=_groups(packed["clusters"]),
        threshold=settings.threshold,
        detector_threshold=settings.detector_threshold,
        model_name=scores.model_name,
        model_version=scores.model_version,
        settings=settings,
        vascular=_groups(packed["vascular"]),
        odds_divisor=scores.odds_divisor,
        arteries_model=scores.arteries_model,
    )
    return findings, on_mcs


def _plain(groups: tuple[Cluster, ...]) -> list[dict]:
    return [asdict(one) | {"outline_rc": one.outline_rc.tolist()} for one in groups]


def _groups(packed: list[dict]) -> tuple[Cluster, ...]:
    return tuple(Cluster(**one | {"outline_rc": np.array(one["outline_rc"])}) for one in packed)


def _text_of(numbers: np.ndarray) -> str:
    return base64.b64encode(numbers.astype("<i4").tobytes()).decode("ascii")


def _numbers_in(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<i4")
