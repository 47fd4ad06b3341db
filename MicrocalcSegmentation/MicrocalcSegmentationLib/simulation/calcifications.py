"""Calcifications of every kind, as projected thickness of 3-D shapes, and their groups.

Morphologies and distributions are BI-RADS's. A kind is either counted (a microcalcification
that a reader would mark) or benign (a look-alike: large, vascular or in the skin).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, label

SUPERSAMPLING = 4  # at least; more where a calcification is thinner than a pixel
MASK_LEVEL = 0.25  # of the peak thickness before blur: there an MC begins

# Facts measured on real images: median diameter 0.24 - 0.26 mm, 0.1 - 1.2 mm in all.
SIZE_MEDIAN_MM, SIZE_LOG_SIGMA, SIZE_RANGE_MM = 0.28, 0.52, (0.19, 1.2)

MORPHOLOGIES = ("punctate", "amorphous", "coarse heterogeneous", "fine pleomorphic", "fine linear")
_MORPHOLOGY_SHARES = (0.3, 0.15, 0.18, 0.3, 0.07)
DISTRIBUTIONS = ("grouped", "linear", "segmental", "regional", "diffuse")
_DISTRIBUTION_SHARES = (0.76, 0.11, 0.11, 0.015, 0.005)
_DUST_SHARE = 0.32  # of a cluster: faint ones around the plain ones, as in real clusters
# Of clusters, the strength of their plain MCs in local deviations: median, spread of its
# logarithm, least.
USUAL_LEVEL = (3.0, 0.86, 1.5)
_RAGGED_FROM_MM = 0.4  # the rim of smaller ones is lost in the blur
SINGLE = "single"
BENIGN_ONES = ("rim", "popcorn", "milk of calcium", "skin", "large round")
BENIGN = ("vascular", *BENIGN_ONES)


@dataclass(frozen=True)
class Placed:
    """One calcification to be drawn.

    row, col: centre in pixels. size_mm: diameter, or length where elongated. strength:
    peak height after blur, in deviations of the local texture. elongation: minor over major
    axis. angle: of the major axis, radians from the row direction of columns; None draws.
    lumps: number of ellipsoids that it is the union of. hollow: radius of its lucent
    middle over its own. kind: one of `MORPHOLOGIES`, `BENIGN` or "single". group: number
    of its cluster, 0 for none. snr: how well an ideal observer tells it from the tissue, known
    of MCs that were drawn.
    """

    row: float
    col: float
    size_mm: float
    strength: float
    elongation: float = 1.0
    angle: float | None = None
    lumps: int = 1
    hollow: float = 0.0
    kind: str = SINGLE
    group: int = 0
    snr: float = 0.0

    @property
    def counted(self) -> bool:
        """True for an MC, False for a benign look-alike."""
        return self.kind not in BENIGN


@dataclass(frozen=True)
class Template:
    """thickness: (n, n) float32 of peak 1 after blur; mask: (n, n) bool before blur."""

    thickness: np.ndarray
    mask: np.ndarray


def draw(placed: Placed, spacing_mm: float, blur_px: float, rng) -> Template:
    """The projected thickness of one calcification on an (n, n) grid around its pixel.

    The shape is drawn at least 4 times finer and averaged; its mask is where the averaged
    thickness is at least a quarter of its peak, before any blur.
    """
    half = int(np.ceil(0.8 * placed.size_mm / spacing_mm + 4 * blur_px)) + 1
    n = 2 * half + 1
    thinnest_mm = placed.size_mm * placed.elongation * (1 - placed.hollow)
    finer = int(np.clip(np.ceil(4 * spacing_mm / thinnest_mm), SUPERSAMPLING, 24))
    axis = (np.arange(n * finer) + 0.5) / finer - n / 2
    row_mm = (axis[:, None] - (placed.row - round(placed.row))) * spacing_mm
    col_mm = (axis[None] - (placed.col - round(placed.col))) * spacing_mm
    thickness = _union_thickness(placed, row_mm, col_mm, rng)
    grid = thickness.reshape(n, finer, n, finer).mean(axis=(1, 3))
    grid = _in_one_piece(grid)
    mask = grid >= MASK_LEVEL * grid.max()
    blurred = gaussian_filter(grid, blur_px)
    return Template((blurred / blurred.max()).astype(np.float32), mask)


def _in_one_piece(grid: np.ndarray) -> np.ndarray:
    """Without lumps that the mask would show beside the MC, as if they were others."""
    pieces, count = label(grid >= MASK_LEVEL * grid.max(), np.ones((3, 3)))
    if count < 2:
        return grid
    nearest = distance_transform_edt(pieces == 0, return_distances=False, return_indices=True)
    return np.where(pieces[tuple(nearest)] == np.bincount(pieces[pieces > 0]).argmax(), grid, 0)


def _union_thickness(placed: Placed, row_mm, col_mm, rng) -> np.ndarray:
    radius = placed.size_mm / 2
    row_mm, col_mm = _ragged(placed, row_mm, col_mm, rng)
    total = np.zeros(np.broadcast_shapes(row_mm.shape, col_mm.shape))
    first_angle = rng.uniform(0, np.pi) if placed.angle is None else placed.angle
    for lump in range(placed.lumps):
        first = lump == 0
        reach = 0.0 if first else radius * 0.7
        r, c = row_mm - rng.uniform(-reach, reach), col_mm - rng.uniform(-reach, reach)
        major = radius * (1.0 if first else rng.uniform(0.3, 0.8))
        ratio = placed.elongation if first else rng.uniform(0.5, 1.0)
        angle = first_angle if first else rng.uniform(0, np.pi)
        total = np.maximum(total, _ellipsoid(r, c, (major, major * ratio), angle))
    if placed.hollow:
        inner = placed.hollow * radius
        ratio = placed.elongation
        total -= 0.92 * _ellipsoid(row_mm, col_mm, (inner, inner * ratio), first_angle)
    return np.maximum(total, 0)


def _ragged(placed: Placed, row_mm, col_mm, rng):
    """The coordinates of a large MC, displaced here and there: real ones are no ellipsoids."""
    if not placed.counted or placed.size_mm < _RAGGED_FROM_MM:
        return row_mm, col_mm
    grain_px = 0.11 * placed.size_mm / (row_mm[1, 0] - row_mm[0, 0])
    bumps = rng.standard_normal((2, row_mm.size, col_mm.size))
    displaced = gaussian_filter(bumps, (0, grain_px, grain_px))
    # Of a slender one's width, or it would fall to pieces.
    displaced *= 0.06 * min(1, 2 * placed.elongation) * placed.size_mm / displaced.std()
    return row_mm + displaced[0], col_mm + displaced[1]


def _ellipsoid(row_mm, col_mm, axes_mm, angle) -> np.ndarray:
    """Thickness of an ellipsoid, as deep as its minor axis is wide."""
    along = np.cos(angle) * row_mm + np.sin(angle) * col_mm
    across = -np.sin(angle) * row_mm + np.cos(angle) * col_mm
    inside = 1 - (along / axes_mm[0]) ** 2 - (across / axes_mm[1]) ** 2
    return 2 * axes_mm[1] * np.sqrt(np.maximum(inside, 0))


@dataclass(frozen=True)
class _Look:
    """How the MCs of one cluster are alike."""

    morphology: str
    size_mm: float
    level: float
    direction: float


@dataclass(frozen=True)
class Site:
    """Where a cluster goes, and how plain it is.

    centre_rc: (row, col) in pixels. group: its number. towards: direction of the nipple in
    radians, along which linear and segmental ones run. level: its MCs' typical strength in
    local deviations; None draws it, as usual_level says.
    """

    centre_rc: tuple[float, float]
    group: int = 1
    towards: float = 0.0
    level: float | None = None
    usual_level: tuple[float, float, float] = USUAL_LEVEL


def cluster(site: Site, spacing_mm: float, rng) -> list[Placed]:
    """The MCs of one cluster, alike in kind.

    Strength is log-normal over clusters and varies within one as measured: an MC's peak
    relative to the strongest 0.31 / 0.80 / 1.0 (5 / 50 / 95 %).
    """
    morphology = str(rng.choice(MORPHOLOGIES, p=_MORPHOLOGY_SHARES))
    distribution = str(rng.choice(DISTRIBUTIONS, p=_DISTRIBUTION_SHARES))
    direction = site.towards + rng.normal(0, 0.4)
    offsets_mm = _offsets(distribution, _count(morphology, rng), direction, rng)
    median, spread, least = site.usual_level
    drawn = float(np.clip(rng.lognormal(np.log(median), spread), least, 16))
    level = drawn if site.level is None else site.level
    size = {"amorphous": 0.22, "punctate": 0.24, "coarse heterogeneous": 0.6}.get(
        morphology, SIZE_MEDIAN_MM
    )
    look = _Look(morphology, size * rng.lognormal(0, 0.15), level, direction)
    places = np.asarray(site.centre_rc) + offsets_mm / spacing_mm
    return [_member(place, look, site.group, rng) for place in places]


def _count(morphology: str, rng) -> int:
    """Readers saw 7 to 42 MCs (median 16) in eleven real clusters; half as many again are
    drawn, for not all can be seen, and more in amorphous ones.
    """
    middle = 31 if morphology == "amorphous" else 22
    return int(np.clip(rng.lognormal(np.log(middle), 0.5), 17, 52))


def _offsets(distribution: str, count: int, direction: float, rng) -> np.ndarray:
    """(count, 2) row and column in mm about the centre, at least 0.45 mm apart."""
    long_mm, wide_mm = {
        "grouped": (rng.uniform(5.2, 6.3), rng.uniform(2, 4.2)),
        "linear": (rng.uniform(5.0, 6.0), rng.uniform(0.4, 0.9)),
        "segmental": (rng.uniform(5.0, 6.0), rng.uniform(2, 4)),
        "regional": (rng.uniform(13, 20), rng.uniform(10, 16)),
        "diffuse": (rng.uniform(25, 40), rng.uniform(20, 35)),
    }[distribution]
    if distribution in ("regional", "diffuse"):
        count *= 2
    places: list[np.ndarray] = []
    for _ in range(40 * count):
        if len(places) == count:
            break
        along, across = rng.normal(0, 0.9, 2)
        if np.hypot(along, across) > 1:
            continue
        # A segment narrows towards the nipple.
        narrow = (1 - 0.7 * along) if distribution == "segmental" else 1.0
        place = _turned(along * long_mm, across * wide_mm * narrow, direction)
        if all(np.hypot(*(place - other)) > 0.45 for other in places):
            places.append(place)
    return np.array(places).reshape(-1, 2)


def _turned(along: float, across: float, direction: float) -> np.ndarray:
    sine, cosine = np.sin(direction), np.cos(direction)
    return np.array([along * sine + across * cosine, along * cosine - across * sine])


def _member(place, look: _Look, group: int, rng) -> Placed:
    strength = look.level * float(np.exp(0.13 * rng.standard_normal()))
    spread = 0.25 if look.morphology in ("punctate", "amorphous") else SIZE_LOG_SIGMA
    size = float(np.clip(rng.lognormal(np.log(look.size_mm), spread), *SIZE_RANGE_MM))
    if rng.random() < _DUST_SHARE:
        strength *= rng.uniform(0.48, 0.75)
    shape: dict = {"elongation": rng.uniform(0.6, 0.86)}
    if look.morphology == "punctate":
        shape = {"elongation": rng.uniform(0.62, 0.87)}
    elif look.morphology == "amorphous":
        strength *= 0.9
        shape |= {"lumps": int(rng.integers(1, 4))}
    elif look.morphology == "fine linear":
        size = float(np.clip(size * rng.uniform(1.5, 3), 0.2, 1.0))
        angle = np.pi / 2 - look.direction + rng.normal(0, 0.5)
        shape = {"elongation": rng.uniform(0.54, 0.7), "angle": angle}
    else:
        shape |= {"lumps": int(rng.integers(1, 5))}
        if rng.random() < 0.1:
            shape["elongation"] = rng.uniform(0.55, 0.64)
    return Placed(*place, size, strength, kind=look.morphology, group=group, **shape)


def single(place, rng) -> Placed:
    """An MC of its own at a place (row, col), mostly small."""
    strength = float(np.exp(rng.uniform(np.log(1.2), np.log(12))))
    size = float(np.clip(rng.lognormal(np.log(SIZE_MEDIAN_MM), SIZE_LOG_SIGMA), *SIZE_RANGE_MM))
    shape = {"elongation": rng.uniform(0.6, 1.0), "lumps": int(rng.integers(1, 3))}
    return Placed(float(place[0]), float(place[1]), size, strength, **shape)


def benign(place, kind: str, rng) -> Placed:
    """One look-alike, of `BENIGN_ONES`, at a place (row, col); see `vascular` for vessels."""
    strength = float(np.exp(rng.uniform(np.log(4), np.log(20))))
    where = (float(place[0]), float(place[1]))
    round_ratio = rng.uniform(0.75, 1.0)
    if kind == "rim":
        size, hollow = rng.uniform(1.0, 8.0), rng.uniform(0.75, 0.93)
        return Placed(*where, size, strength * 0.6, round_ratio, hollow=hollow, kind=kind)
    if kind == "skin":
        size, hollow = rng.uniform(0.5, 1.2), rng.uniform(0.4, 0.65)
        return Placed(*where, size, strength * 0.7, round_ratio, hollow=hollow, kind=kind)
    if kind == "popcorn":
        lumps = int(rng.integers(6, 14))
        return Placed(*where, rng.uniform(1.5, 6), strength * 1.5, 0.8, lumps=lumps, kind=kind)
    if kind == "milk of calcium":
        flat = rng.uniform(0.3, 0.9)
        return Placed(*where, rng.uniform(0.4, 1.2), strength * 0.4, flat, angle=0.0, kind=kind)
    return Placed(*where, rng.uniform(1.0, 2.5), strength, round_ratio, kind="large round")


def vascular(path_rc: np.ndarray, radius_px: float, spacing_mm: float, rng) -> list[Placed]:
    """A calcified vessel: both walls a faint band, here dense, there missing, with plain specks.

    path_rc: (n, 2) pixels along the vessel's middle. radius_px: of its wall.
    """
    length_mm = float(np.hypot(*np.diff(path_rc, axis=0).T).sum()) * spacing_mm
    level = float(np.exp(rng.uniform(np.log(3), np.log(9))))
    course = _Course(path_rc, radius_px)
    placed = []
    for wall in (-1, 1):
        first = rng.uniform(0, 2 * np.pi)
        for at in np.arange(0, length_mm, 0.5):
            dense = 0.5 + 0.5 * np.sin(first + at * 2 * np.pi / 14)
            where, angle = course.on_wall(at / length_mm, wall * rng.normal(1, 0.08))
            long_mm = float(np.clip(rng.lognormal(np.log(1.3), 0.35), 0.5, 2.5))
            strength = level * rng.uniform(0.2, 0.45) * dense
            thin = rng.uniform(0.2, 0.4) / long_mm
            placed.append(Placed(*where, long_mm, strength, thin, angle, kind="vascular"))
    for _ in range(rng.poisson(length_mm * rng.uniform(0.3, 1.2))):
        where, angle = course.on_wall(rng.random(), rng.choice([-1, 1]) * rng.normal(1, 0.15))
        size = float(np.clip(rng.lognormal(np.log(0.35), 0.45), 0.15, 1.5))
        strength = level * float(np.exp(0.4 * rng.standard_normal()))
        thin = rng.uniform(0.3, 0.8)
        placed.append(Placed(*where, size, strength, thin, angle, kind="vascular"))
    return placed


@dataclass(frozen=True)
class _Course:
    """A vessel's middle, (n, 2) pixels, and the radius of its wall in pixels."""

    path_rc: np.ndarray
    radius_px: float

    def on_wall(self, share: float, off: float) -> tuple[tuple[float, float], float]:
        """Place and major axis of a plaque at a share of the course, off radii to one side."""
        at = share * (len(self.path_rc) - 1)
        row, col = (np.interp(at, np.arange(len(self.path_rc)), self.path_rc[:, k]) for k in (0, 1))
        down, right = np.gradient(self.path_rc, axis=0)[int(at)]
        turn = np.arctan2(down, right)
        across_px = off * self.radius_px
        where = (float(row + across_px * np.cos(turn)), float(col - across_px * np.sin(turn)))
        return where, float(np.pi / 2 - turn)
