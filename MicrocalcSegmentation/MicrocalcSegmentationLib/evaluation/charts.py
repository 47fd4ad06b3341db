"""Charts of experiments and analyses, as PNG files."""

from pathlib import Path

import numpy as np

from ..errors import InputError

# Okabe and Ito's colours, which colour-blind readers tell apart as well.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")


def figure(width: float, height: float):
    """An empty matplotlib figure, in inches. Raises InputError where it is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            "charts need matplotlib, which is not installed; "
            "run: pip install 'microcalc-segmentation[train]'"
        ) from error
    made = Figure(figsize=(width, height), layout="constrained", dpi=120)
    FigureCanvasAgg(made)
    return made


def save(made, path: Path) -> None:
    """Write a figure, whole or not at all."""
    beside = path.with_name(path.name + ".part")
    made.savefig(beside, format="png")
    beside.replace(path)


def curves(histories: dict[str, list[dict]], title: str, path: Path) -> None:
    """Training (dashed) and validation loss, and validation accuracy, over minibatches.

    histories: name -> the checks of `learning`.
    """
    made = figure(9, 4)
    loss, accuracy = made.subplots(1, 2)
    for colour, (name, checks) in zip(COLOURS, histories.items(), strict=False):
        steps = [check["step"] for check in checks]
        loss.plot(steps, [check["validation loss"] for check in checks], color=colour, label=name)
        training = [check["training loss"] for check in checks]
        loss.plot(steps, training, color=colour, linestyle="--", linewidth=0.8)
        values = [check["validation accuracy"] for check in checks]
        accuracy.plot(steps, values, color=colour, label=name)
    loss.set(xlabel="minibatches", ylabel="cross-entropy (dashed: training)", title=title)
    accuracy.set(xlabel="minibatches", ylabel="accuracy on validation patches")
    loss.legend()
    save(made, path)


def bars(groups: dict[str, dict[str, float]], label: str, path: Path) -> None:
    """Bars side by side: group -> name -> value in per cent; names in one order in all."""
    made = figure(9, 4)
    axes = made.subplots()
    names = list(dict.fromkeys(name for values in groups.values() for name in values))
    width = 0.8 / len(groups)
    for number, (group, values) in enumerate(groups.items()):
        places = np.arange(len(names)) + (number - (len(groups) - 1) / 2) * width
        heights = [values.get(name, np.nan) for name in names]
        drawn = axes.bar(places, heights, width, label=group, color=COLOURS[number % 7])
        axes.bar_label(drawn, fmt="%.2f", fontsize=7)
    axes.set(xticks=np.arange(len(names)), xticklabels=names, ylabel=label)
    axes.legend()
    save(made, path)
