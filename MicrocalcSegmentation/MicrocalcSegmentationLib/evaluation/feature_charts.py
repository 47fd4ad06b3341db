"""Pictures of an analysis: the map of features, and the worst patches beside their likes."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..training.samples.classes import CLASSES
from .charts import COLOURS, figure, save

if TYPE_CHECKING:
    from .features import Looked

_GREY = (-4.0, 8.0)  # local deviations shown from black to white
_CELL_INCH = 1.15


def draw_map(looked: "Looked", places: np.ndarray, path: Path) -> None:
    """The patches where t-SNE puts them, coloured by class, and by right and wrong."""
    made = figure(11, 5.2)
    by_class, by_answer = made.subplots(1, 2)
    for colour, sample_class in zip(COLOURS, np.unique(looked.samples[:, 3]), strict=False):
        own = places[looked.samples[:, 3] == sample_class]
        by_class.scatter(*own.T, s=6, color=colour, label=CLASSES[int(sample_class)])
    right, wrong = places[~looked.wrong], places[looked.wrong]
    by_answer.scatter(*right.T, s=5, color="#BBBBBB", label=f"right ({len(right)})")
    by_answer.scatter(*wrong.T, s=9, color=COLOURS[5], label=f"wrong at 0.5 ({len(wrong)})")
    for axes in (by_class, by_answer):
        axes.set(xticks=[], yticks=[])
        axes.legend()
    by_class.set_title("t-SNE of the features, by class")
    by_answer.set_title("the same, by answer")
    save(made, path)


def draw_worst(looked: "Looked", worst: list[tuple[int, np.ndarray]], path: Path) -> None:
    """A row per wrong patch: itself, then its nearest neighbours of the opposite label.

    worst: (number, numbers of the neighbours).
    """
    rows = max(len(worst), 1)
    cols = 1 + max((len(near) for _, near in worst), default=1)
    made = figure(cols * _CELL_INCH + 0.4, rows * (_CELL_INCH + 0.25) + 0.6)
    grid = made.subplots(rows, cols, squeeze=False)
    made.suptitle("wrong at 0.5 (left), and what its features resemble", fontsize=9)
    for axes in grid.ravel():
        axes.set_axis_off()
    for axes_of_row, (number, near) in zip(grid, worst, strict=False):
        for axes, shown in zip(axes_of_row, (number, *near), strict=False):
            axes.imshow(looked.patches[shown], cmap="gray", vmin=_GREY[0], vmax=_GREY[1])
            name = CLASSES[int(looked.samples[shown, 3])]
            axes.set_title(f"{name}  p {looked.scores[shown]:.2f}", fontsize=7)
    save(made, path)
