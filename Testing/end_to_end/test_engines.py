"""What runs the networks changes no finding, and the light install needs no TensorFlow."""

import subprocess
import sys

import pytest
from MicrocalcSegmentationLib import load_model, segment
from MicrocalcSegmentationLib.settings import Settings
from MicrocalcSegmentationLib.simulation.cases import CaseOptions, simulate_case, write_case

SMALL = CaseOptions(spacing_mm=0.1, shape=(640, 480), clusters=1, singles=2)
WITHOUT_TENSORFLOW = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
absent = ("keras", "tensorflow", "torch", "jax", "onnx")
# None in sys.modules would not do: scipy takes it for the library itself.
PathFinder.find_spec = lambda name, *rest: None if name in absent else find(name, *rest)
from MicrocalcSegmentationLib.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def case():
    return simulate_case(3_000_001, SMALL)


def run_light(*arguments):
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_both_engines_give_the_same_findings(case):
    first, second = (
        # Low, so that there is something to compare, whatever pair is shipped.
        segment(
            case.mammogram,
            load_model(),
            Settings(engine=engine, threshold=0.1, neighbours=False),
        )
        for engine in ("onnx", "keras")
    )
    assert abs(first.probability - second.probability).max() < 1e-4
    assert (first.labels == second.labels).all()
    assert (first.candidates == second.candidates).all()
    assert len(first.clusters) == len(second.clusters)
    assert len(first.calcifications) == len(second.calcifications) > 5


def test_images_are_segmented_without_any_library_that_trains(case, tmp_path):
    image = write_case(case, tmp_path, "nrrd")["image"]
    done = run_light("segment", image, "--output", tmp_path / "out", "--verbose")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / image.stem / "findings.json").is_file()
    assert "onnx on cpu (asked for auto, auto; ONNX Runtime is the quickest" in done.stderr


def test_what_the_light_install_cannot_do_is_said_in_one_sentence(case, tmp_path):
    image = write_case(case, tmp_path, "nrrd")["image"]
    by_keras = run_light("segment", image, "--output", tmp_path / "out", "--engine", "keras")
    assert by_keras.returncode == 1
    assert "Keras is not installed; run: pip install" in by_keras.stderr
    training = run_light("train", "--output", tmp_path / "mine", "--sheets", 1)
    assert training.returncode == 1
    assert "pip install 'microcalc-segmentation[cpu]'" in training.stderr
    assert "Traceback" not in by_keras.stderr + training.stderr
