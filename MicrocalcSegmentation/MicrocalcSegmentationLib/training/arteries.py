"""From nothing to the network that knows calcified arteries."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from scipy.ndimage import label, maximum_filter

from ..model import ARTERIES, CARD, Model, save_model
from ..networks import Architecture, build
from ..progress import Part, Progress
from ..vessels import HALF, SHORTEST_MM, STEP_MM, STEP_PX, arteries_in, on_lattice, reach
from . import libraries
from .artery_sheets import ARTERY
from .fit import UNITS, Schedule, Tiles, fit
from .kept import KeptNetworks, made_of
from .pool import Wanted, fill_pool, load_sheet
from .sheets import Sheet
from .tissue import real_tissue

ARTERY_SEEDS_FROM, ARTERY_VALIDATION_SEEDS_FROM = 2_000_000, 2_500_000
THRESHOLDS = tuple(round(0.02 * step, 2) for step in range(25, 50))
# At most, per 100 cm2 of validation sheets, at the threshold. They hold eight bright vessels
# without calcium each 100 cm2, and users are told of arteries with calcifications on them alone.
FALSE_ARTERIES = 0.5


@dataclass(frozen=True)
class ArteryRecipe:
    """Everything that decides what the network becomes; as of `pair.Recipe`."""

    version: str = "1"
    seed: int = 1
    sheets: int = 1000
    validation_sheets: int = 80
    film_tiles: str | None = None
    digital_backgrounds: str | None = None
    architecture: Architecture = field(default_factory=Architecture)
    steps: int = 6000


@dataclass(frozen=True)
class ArteryPoint:
    """What a threshold gives: share of the arteries of 10 mm or more of which a part is found,
    and found ones where none is, per 100 cm2 of breast.
    """

    threshold: float
    found: float
    false: float


def train_arteries(
    recipe: ArteryRecipe, output: Path, work_folder: Path, progress: Progress
) -> Model:
    """Train the network by a recipe and write the model into `output`.

    work_folder keeps the sheets and the finished network, so that a second call goes on where
    the first one stopped. Deterministic for one machine and library version.
    """
    libraries.require()
    real = real_tissue(recipe.film_tiles, recipe.digital_backgrounds)
    first = recipe.seed * 10_000
    wanted = [
        Wanted(ARTERY_SEEDS_FROM + first, recipe.sheets, "arteries"),
        Wanted(ARTERY_VALIDATION_SEEDS_FROM + first, recipe.validation_sheets, "arteries"),
    ]
    files = fill_pool(work_folder, wanted, real, Part(progress, 0.0, 0.4))
    learnt, held = ([load_sheet(path) for path in paths] for paths in files)
    kept = KeptNetworks(work_folder, made_of(recipe, real))
    network, checks = _network(recipe, (learnt, held), kept, Part(progress, 0.4, 0.95))
    progress.report(0.95, "choosing a threshold on sheets not learnt from")
    side = recipe.architecture.patch_side
    points = artery_points([(sheet, _answers(network, side, sheet)) for sheet in held])
    chosen = next((one for one in points if one.false <= FALSE_ARTERIES), points[-1])
    model = Model(
        name=ARTERIES,
        version=recipe.version,
        folder=output,
        architectures={ARTERIES: recipe.architecture},
        threshold=chosen.threshold,
        detector_threshold=None,
        figures={"validation sheets (simulated arteries)": _figures(points, chosen)},
        training={
            "command": "microcalc train arteries",
            "recipe": asdict(recipe)
            | {
                "film_tiles": f"{len(real.film)} CBIS-DDSM tiles",
                "digital_backgrounds": [path.name for path in real.digital],
            },
            "augmentation": asdict(UNITS),
            "checks": checks,
            "libraries": libraries.versions(),
        },
    )
    model = save_model(model, {ARTERIES: network})
    (output / CARD).write_text(_card(model, chosen), encoding="utf-8")
    progress.report(1.0, f"model written to {output}")
    return model


def _figures(points: list[ArteryPoint], chosen: ArteryPoint) -> dict[str, float]:
    at = {"its threshold": chosen} | {f"{point.threshold:.2f}": point for point in points[::5]}
    figures = {}
    for where, point in at.items():
        figures[f"at {where}: arteries found"] = point.found
        figures[f"at {where}: false ones per 100 cm2"] = point.false
    return figures


def artery_points(answered: list[tuple[Sheet, np.ndarray]]) -> list[ArteryPoint]:
    """What each threshold gives on sheets, each with the network's answers in the breast."""
    cells = sum(np.count_nonzero(_lattice(sheet.pixels)) for sheet, _ in answered)
    area_cm2 = cells * (STEP_MM / 10) ** 2
    return [_point(threshold, answered, area_cm2) for threshold in THRESHOLDS]


def _point(threshold: float, answered, area_cm2: float) -> ArteryPoint:
    true = found = false = 0
    for sheet, answers in answered:
        near = _lattice(maximum_filter(sheet.labels != 0, 2 * STEP_PX // HALF + 1))
        marked = np.zeros(answers.shape, bool)
        for places in arteries_in(answers, _lattice(sheet.pixels) != 0, threshold):
            cells = tuple((places // STEP_PX).astype(int).T)
            marked[cells] = True
            false += not near[cells].any()
        drawn, count = label(_lattice(maximum_filter(sheet.labels == ARTERY, 5)), np.ones((3, 3)))
        for number in range(1, count + 1):
            if reach(np.argwhere(drawn == number)) * STEP_MM >= SHORTEST_MM:
                true += 1
                found += bool(marked[drawn == number].any())
    return ArteryPoint(threshold, found / max(true, 1), 100 * false / max(area_cm2, 1e-9))


def _lattice(values: np.ndarray) -> np.ndarray:
    return on_lattice(values, HALF)


def _answers(network, side: int, sheet: Sheet) -> np.ndarray:
    """(r, c) the probability where answers are, 0 outside the breast."""
    pixels = sheet.pixels.astype(np.float32)
    padded = np.pad(pixels, side // 2)
    answers = np.asarray(network.predict_on_batch(padded[None, ..., None]))[0, ..., 1]
    inside = _lattice(pixels) != 0
    return np.where(inside, answers[: inside.shape[0], : inside.shape[1]], 0)


def _network(recipe: ArteryRecipe, sheets, kept: KeptNetworks, progress: Progress):
    """Train it, or read it when an earlier call has finished it."""
    name = f"{ARTERIES}-{recipe.seed}"
    made = kept.read(name, recipe.steps, lambda: build(recipe.architecture, ARTERIES, sliding=True))
    if made is not None:
        return made
    tiles = tuple(
        Tiles(part, ARTERIES, recipe.architecture, recipe.seed + number)
        for number, part in enumerate(sheets)
    )
    schedule = Schedule(steps=recipe.steps, seed=recipe.seed)
    network, checks = fit(ARTERIES, recipe.architecture, tiles, schedule, progress)
    kept.write(name, recipe.steps, network, checks)
    return network, checks


def _card(model: Model, chosen: ArteryPoint) -> str:
    recipe = model.training["recipe"]
    tissue = [recipe["film_tiles"], *recipe["digital_backgrounds"], "simulated"]
    lines = [
        f"# Model card: `{model.name}`",
        "",
        f"Version {model.version}. For research; not a medical device.",
        "",
        f"Tells where calcified arteries run, at 0.1 mm, from {recipe['sheets']} squares of breast",
        f"of 5 cm with simulated vessels, seed {recipe['seed']}; tissue: {', '.join(tissue)}.",
        f"{recipe['steps']} minibatches of tiles.",
        "",
        f"On {recipe['validation_sheets']} squares not learnt from, at its threshold of",
        f"{model.threshold:.2f}, a part of {chosen.found:.2f} of the arteries of {SHORTEST_MM:g}",
        f"mm or more is found, and {chosen.false:.2f} in 100 cm2 where none is. All were",
        "simulated: the figures say nothing about real ones.",
        "",
    ]
    return "\n".join(lines)
