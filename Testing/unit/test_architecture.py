"""The rules of the house, read from the imports themselves."""

import ast
from dataclasses import dataclass
from pathlib import Path

import MicrocalcSegmentationLib
import pytest

PACKAGE = "MicrocalcSegmentationLib"
LIBRARY = Path(MicrocalcSegmentationLib.__file__).parent
MODULE = LIBRARY.parent

# As in the README's "Architecture": a room imports from rooms below, or of its own floor
# as long as those do not import it back.
FLOORS = {
    "errors": 0,
    "progress": 0,
    "settings": 0,
    "geometry": 0,
    "bands": 0,
    "medians": 0,
    "freed_memory": 0,
    "mammogram": 0,
    "findings": 0,
    "reading": 1,
    "resampling": 1,
    "breast": 1,
    "morphology": 1,
    "normalisation": 1,
    "shapes": 1,
    "montage": 1,
    "calcifications": 1,
    "neighbours": 1,
    "outlines": 1,
    "splitting": 1,
    "lookalikes": 1,
    "vessels": 1,
    "clusters": 1,
    "working": 1,
    "simulation": 1,
    "networks": 2,
    "onnx_form": 2,
    "model": 2,
    "training": 3,
    "inference": 3,
    "pipeline": 4,
    "export": 4,
    "evaluation": 5,
    "batch": 6,
    "cli": 6,
    "mrml": 6,
    "gui": 7,
}
SLICER = {"slicer", "vtk", "qt", "ctk"}
KNOWS_SLICER = ("mrml", "gui")
TENSORFLOW = {"keras", "tensorflow"}
KNOWS_TENSORFLOW = ("networks", "model", "training", "inference/engines")


@dataclass(frozen=True)
class Import:
    """An import of `target`, dotted from the top, in a file. late: inside a function."""

    file: str
    line: int
    target: str
    late: bool

    def __str__(self):
        return f"{self.file}:{self.line} imports {self.target}"


def imports_of(file: Path, library: Path) -> list[Import]:
    """Every import of a file, relative ones made absolute; type-checking ones left out."""
    place = file.relative_to(library).as_posix()
    package = [PACKAGE, *file.relative_to(library).parts[:-1]]
    found = []

    def visit(node: ast.AST, late: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            children = node.orelse
        else:
            children = ast.iter_child_nodes(node)
        found.extend(Import(place, node.lineno, name, late) for name in _targets(node, package))
        inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in children:
            visit(child, inside)

    visit(ast.parse(file.read_text("utf-8")), late=False)
    return found


def _targets(node: ast.AST, package: list[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    above = package[: len(package) - node.level + 1] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    return [f"{base}.{alias.name}" for alias in node.names]


def all_imports(library: Path) -> list[Import]:
    return [found for file in sorted(library.rglob("*.py")) for found in imports_of(file, library)]


def room_of(file: str) -> str:
    """The room that a file of the library belongs to; "" for the library's own __init__."""
    name = file.split("/")[0].removesuffix(".py")
    return "" if name == "__init__" else name


def target_room(found: Import) -> str | None:
    """The room that is imported; None for the library's own names and other libraries."""
    parts = found.target.split(".")
    return parts[1] if parts[0] == PACKAGE and len(parts) > 1 and parts[1] in FLOORS else None


def upward(imports: list[Import]) -> list[str]:
    """Imports from a higher floor. The library's own __init__ is the roof: it may offer all."""
    return [
        str(found)
        for found in imports
        if (room := room_of(found.file)) and (target := target_room(found))
        if FLOORS[target] > FLOORS[room]
    ]


def circles(imports: list[Import]) -> list[str]:
    """Rooms that import each other, directly or by way of others."""
    below: dict[str, set[str]] = {}
    for found in imports:
        room, target = room_of(found.file), target_room(found)
        if room and target and room != target:
            below.setdefault(room, set()).add(target)
    reached = {room: _reach(room, below) for room in below}
    return sorted(room for room, rooms in reached.items() if room in rooms)


def _reach(room: str, below: dict[str, set[str]]) -> set[str]:
    seen, waiting = set(), list(below[room])
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting += below.get(current, ())
    return seen


def misplaced(imports: list[Import], names: set[str], allowed: tuple[str, ...]) -> list[str]:
    """Imports of these libraries outside the allowed rooms or files."""
    return [
        str(found)
        for found in imports
        if found.target.split(".")[0] in names
        and not any(
            found.file.removesuffix(".py").split("/")[: place.count("/") + 1] == place.split("/")
            for place in allowed
        )
    ]


def early(imports: list[Import], names: set[str]) -> list[str]:
    """Imports of these libraries that happen when the file itself is imported."""
    return [
        str(found) for found in imports if found.target.split(".")[0] in names and not found.late
    ]


@pytest.fixture(scope="module")
def imports():
    return all_imports(LIBRARY)


def test_every_room_has_its_floor():
    rooms = {room_of(file.relative_to(LIBRARY).as_posix()) for file in LIBRARY.rglob("*.py")}
    assert rooms - {""} <= set(FLOORS)


def test_the_imports_are_really_seen(imports):
    seen = {(room_of(found.file), target_room(found)) for found in imports}
    assert {("batch", "export"), ("cli", "batch"), ("evaluation", "findings")} <= seen


def test_nothing_imports_upwards(imports):
    assert upward(imports) == []


def test_no_rooms_import_each_other(imports):
    assert circles(imports) == []


def test_only_the_scene_and_the_window_know_slicer(imports):
    assert misplaced(imports, SLICER, KNOWS_SLICER) == []


def test_no_folder_is_called_slicer():
    assert [p for p in MODULE.rglob("*") if p.is_dir() and p.name.lower() == "slicer"] == []


def test_only_the_networks_rooms_know_tensorflow(imports):
    assert misplaced(imports, TENSORFLOW, KNOWS_TENSORFLOW) == []


def test_tensorflow_is_imported_only_when_called(imports):
    assert early(imports, TENSORFLOW) == []


PLANTED = {
    "upward": ("breast.py", "from .pipeline import segment", upward),
    "upward, in a function": ("export/nrrd.py", "def f():\n    from ..cli import main", upward),
    "upward, by the full name": (
        "clusters.py",
        f"import {PACKAGE}.evaluation.matching",
        upward,
    ),
    "upward, a whole room": ("reading/dicom.py", "from .. import pipeline", upward),
    "slicer": ("export/nrrd.py", "import slicer", "slicer"),
    "qt, of a package": ("batch.py", "from qt import QTimer", "slicer"),
    "keras in the wrong room": ("breast.py", "def f():\n    import keras", "tensorflow"),
    "tensorflow beside the engines": (
        "inference/windows.py",
        "def f():\n    from tensorflow.python import eager",
        "tensorflow",
    ),
    "keras, too early": ("networks.py", "import keras.layers", "early"),
    "keras, early in a class": ("model.py", "class A:\n    from keras import Model", "early"),
}
CHECKS = {
    "slicer": lambda imports: misplaced(imports, SLICER, KNOWS_SLICER),
    "tensorflow": lambda imports: misplaced(imports, TENSORFLOW, KNOWS_TENSORFLOW),
    "early": lambda imports: early(imports, TENSORFLOW),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_violation_is_found(tmp_path, case):
    file, text, check = PLANTED[case]
    check = CHECKS.get(check, check)
    target = tmp_path / file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("import numpy\nfrom pathlib import Path\n")
    assert check(all_imports(tmp_path)) == []
    target.write_text(text + "\n")
    assert len(check(all_imports(tmp_path))) == 1


def test_a_planted_circle_is_found(tmp_path):
    (tmp_path / "clusters.py").write_text("from .calcifications import label_calcifications\n")
    (tmp_path / "calcifications.py").write_text("from .breast import breast_region\n")
    (tmp_path / "breast.py").write_text("import numpy\n")
    assert circles(all_imports(tmp_path)) == []
    (tmp_path / "breast.py").write_text("def f():\n    from .clusters import group\n")
    assert circles(all_imports(tmp_path)) == ["breast", "calcifications", "clusters"]


def test_allowed_imports_pass(tmp_path):
    (tmp_path / "inference").mkdir()
    (tmp_path / "inference" / "engines.py").write_text("def f():\n    import tensorflow\n")
    (tmp_path / "model.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import keras\n"
    )
    (tmp_path / "mrml.py").write_text("import slicer\n")
    (tmp_path / "__init__.py").write_text("from .pipeline import segment\n")
    imports = all_imports(tmp_path)
    assert upward(imports) == circles(imports) == early(imports, TENSORFLOW) == []
    assert misplaced(imports, SLICER, KNOWS_SLICER) == []
    assert misplaced(imports, TENSORFLOW, KNOWS_TENSORFLOW) == []
