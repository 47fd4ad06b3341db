"""What is reported along calcified arteries, on simulated mammograms into which some are drawn.

Usage: python Testing/benchmarks/arteries.py [FIRST_SEED [COUNT]]
Every mammogram, digital and film in turn, is given one or two arteries as the network that knows
them has learnt from, 1.2 to 9 local deviations high, beside what it holds already.
"""

import sys
from collections import Counter
from dataclasses import replace

import numpy as np
from MicrocalcSegmentationLib import load_model
from MicrocalcSegmentationLib.breast import breast_region
from MicrocalcSegmentationLib.normalisation import local_statistics
from MicrocalcSegmentationLib.pipeline import describe, score
from MicrocalcSegmentationLib.simulation.arteries import vessel
from MicrocalcSegmentationLib.simulation.cases import (
    KINDS,
    CaseOptions,
    SimulatedCase,
    simulate_case,
)
from scipy.spatial import KDTree

_DEVIATIONS = (1.2, 9.0)
_LEAST_MM2 = 8.0  # of an artery within the breast
_SEEN_PLACES = 8  # on its band: 3 mm of it
_NEAR_MM = 1.5  # a group lies along an artery when most of it does


def with_arteries(case: SimulatedCase, rng) -> tuple[SimulatedCase, list[np.ndarray]]:
    """The case with arteries drawn, and the (rows, cols) bool band of each."""
    mammogram, bands = case.mammogram, []
    spacing = mammogram.spacing_mm[0]
    breast = breast_region(mammogram)
    _, deviation = local_statistics(mammogram.pixels, breast, mammogram.spacing_mm)
    pixels = mammogram.pixels.copy()
    for _ in range(int(rng.integers(1, 3))):
        for _ in range(30):
            drawn = vessel(pixels.shape, spacing, True, rng)
            if drawn is not None and (drawn.band & breast).sum() * spacing**2 > _LEAST_MM2:
                break
        else:
            continue
        strength = np.float32(np.exp(rng.uniform(*np.log(_DEVIATIONS))))
        pixels += strength * drawn.thickness * deviation * breast
        bands.append(drawn.band & breast)
    return replace(case, mammogram=replace(mammogram, pixels=pixels)), bands


def judged(case: SimulatedCase, bands: list[np.ndarray], model) -> Counter:
    """What was seen and reported on one mammogram."""
    spacing = np.array(case.mammogram.spacing_mm)
    scores = score(case.mammogram, model)
    findings = describe(scores)
    seen = np.concatenate([np.zeros((0, 2)), *scores.arteries])
    cells = tuple(np.clip((seen / spacing).astype(int), 0, np.array(case.labels.shape) - 1).T)
    thin = [(one.row, one.col) for one in case.calcifications if one.kind == "vascular"]
    plaques = KDTree(np.array(thin).reshape(-1, 2) * spacing) if thin else None
    anywhere = np.any([np.zeros(case.labels.shape, bool), *bands], axis=0)

    def along(mc) -> bool:
        near = plaques is not None and plaques.query((mc.row, mc.col) * spacing)[0] < _NEAR_MM
        return bool(near or anywhere[int(mc.row), int(mc.col)])

    def true(mc) -> bool:
        return bool(case.mask[findings.labels == mc.number].any())

    found = Counter({"arteries drawn": len(bands)})
    found["of them seen"] = sum(int(band[cells].sum() >= _SEEN_PLACES) for band in bands)
    for group in findings.vascular:
        members = [mc for mc in findings.calcifications if mc.vascular == group.number]
        found["vascular groups"] += 1
        found["of them along arteries"] += np.mean([along(mc) for mc in members]) > 0.5
        found["true MCs in vascular groups"] += sum(true(mc) for mc in members)
    for cluster in findings.clusters:
        members = [mc for mc in findings.calcifications if mc.cluster == cluster.number]
        is_true = any(true(mc) for mc in members)
        found["true clusters marked"] += is_true
        on_artery = np.mean([along(mc) for mc in members]) > 0.5
        found["parts of arteries marked as clusters"] += bool(on_artery and not is_true)
    return found


def main(first: str = "720000000", count: str = "40") -> None:
    """Print the sums of each kind."""
    model, sums = load_model(), {kind: Counter() for kind in KINDS}
    for number in range(int(count)):
        seed, kind = int(first) + number, KINDS[number % len(KINDS)]
        case = simulate_case(seed, CaseOptions(kind=kind))
        sums[kind].update(judged(*with_arteries(case, np.random.default_rng(seed)), model))
    for kind, found in sums.items():
        print(kind, *(f"{what}: {int(value)}" for what, value in found.items()), sep="\n  ")


if __name__ == "__main__":
    main(*sys.argv[1:])
