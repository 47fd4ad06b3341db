"""A model card in Markdown, written from the manifest alone."""

from ..model import CARD, NETWORKS, Model
from .sheets import KINDS


def write_card(model: Model) -> None:
    """Write the card into the model's folder, whole or not at all."""
    path = model.folder / CARD
    beside = path.with_name(path.name + ".part")
    beside.write_text(card(model), encoding="utf-8")
    beside.replace(path)


def card(model: Model) -> str:
    """What the pair is, what it learnt from, and what was measured."""
    lines = [f"# Model card: `{model.name}`", ""]
    lines += [f"Version {model.version}. For research; not a medical device.", ""]
    lines += ["| | detector | segmentator |", "|---|---|---|"]
    shapes = [model.architectures[which] for which in NETWORKS]
    for label, value in (
        ("patch side N", "patch_side"),
        ("padding", "padding"),
        ("channels", "channels"),
        ("features", "features"),
    ):
        cells = [_text(getattr(shape, value)) for shape in shapes]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    lines.append(f"| threshold | {model.detector_threshold:.4g} | {model.threshold:.4g} |")
    lines += _training_lines(model.training)
    for data, figures in model.figures.items():
        lines += ["", f"## Measured on {data}", "", "| figure | value |", "|---|---|"]
        lines += [f"| {name} | {value:.4g} |" for name, value in figures.items()]
    if "recipe" in model.training:
        lines += ["", "All MCs were simulated: the figures say nothing about real ones."]
    elif _only_simulated(model.training):
        lines += ["", "All images were simulated: the figures say nothing about real ones."]
    lines += [
        "",
        "Figures on patches, balanced by class, flatter: whole images hold thousands of times more",
        "negatives. `microcalc evaluate` measures whole images.",
        "",
    ]
    return "\n".join(lines)


def _training_lines(training: dict) -> list[str]:
    lines = ["", "## Learnt from", ""]
    for name, groups in _groups(training).items():
        lines += [f"- {name}{group}: {count} images" for group, count in groups.items()]
    networks = training.get("networks", {})
    for which, one in networks.items():
        course = one["course"]
        precision = course.get("precision", "float32")
        lines.append(
            f"- {which}: {one['steps']} minibatches of {course['batch_size']}, best at "
            f"{one['best step']}, seed {course['seed']}, {precision}; ended because {one['ended']}"
        )
    if "recipe" in training:
        lines += _recipe_lines(training["recipe"])
    libraries = [training.get("libraries")] + [one.get("libraries") for one in networks.values()]
    made_with = [", ".join(f"{name} {v}" for name, v in one.items()) for one in libraries if one]
    lines += [f"- made with {one}" for one in dict.fromkeys(made_with)]
    return lines


def _recipe_lines(recipe: dict) -> list[str]:
    tissue = [recipe["film_tiles"], *recipe["digital_backgrounds"], "simulated"]
    lines = [
        f"- {recipe['sheets']} squares of breast of 5 cm with simulated MCs, seed "
        f"{recipe['seed']}, of kinds {', '.join(recipe.get('kinds', KINDS))}; tissue: "
        f"{', '.join(tissue)}"
    ]
    for which in NETWORKS:
        lines.append(f"- {which}: {recipe[f'{which}_steps']} minibatches of tiles")
    if start := recipe.get("start"):
        lines.append(f"- begun with {start['name']} {start['version']}")
    return lines


def _groups(training: dict) -> dict[str, dict[str, int]]:
    """Images by group, for all; by network where they learnt from different databases."""
    networks = training.get("networks", {})
    data = {which: one["data"] for which, one in networks.items() if "data" in one}
    if not data:  # a manifest of an earlier version
        return {"": training.get("data", {}).get("images", {})}
    if len({one["sha256"] for one in data.values()}) == 1:
        return {"": next(iter(data.values()))["images"]}
    return {f"{which}, {one['database']}: ": one["images"] for which, one in data.items()}


def _only_simulated(training: dict) -> bool:
    groups = [group for images in _groups(training).values() for group in images]
    return bool(groups) and all(", simulated, " in group for group in groups)


def _text(value) -> str:
    return ", ".join(str(v) for v in value) if isinstance(value, tuple) else str(value)
