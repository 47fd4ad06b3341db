"""Every engine gives the reference's numbers: Keras, one patch at a time."""

from dataclasses import replace

import keras
import numpy as np
import onnx
import pytest
from MicrocalcSegmentationLib.errors import InputError, ModelError
from MicrocalcSegmentationLib.inference.dense import score_pixels_dense, score_windows
from MicrocalcSegmentationLib.inference.engines import keras_engine, onnx_engine, open_network
from MicrocalcSegmentationLib.inference.windows import (
    Work,
    score_patches,
    score_pixels,
    window_grid,
)
from MicrocalcSegmentationLib.model import Model, load_model, onnx_name, save_model
from MicrocalcSegmentationLib.networks import Architecture, build
from MicrocalcSegmentationLib.progress import Silent

WORK = Work(512, Silent(), "testing")
WHICH = ("detector", "segmentator")
ENGINES = {"keras": keras_engine, "onnx": onnx_engine}


def random_network(architecture, which, rng):
    """Normalisation as after training, or folding it would have nothing to do."""
    network = build(architecture, which)
    for weight in network.weights:
        role = weight.path.split("/")[-1]
        if role in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif role != "kernel":
            weight.assign(rng.normal(0, 0.3, weight.shape))
    last = network.get_layer("fc2").kernel
    last.assign(0.1 * last.numpy())  # or the softmax would be saturated
    return network


def saved_pair(folder, architecture):
    rng = np.random.default_rng(1)
    keras.utils.set_random_seed(1)  # a fixture of the module comes before the one that does it
    networks = {which: random_network(architecture, which, rng) for which in WHICH}
    model = Model("pair", "1", folder, dict.fromkeys(networks, architecture), 0.5, 0.5)
    return save_model(model, networks)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return saved_pair(tmp_path_factory.mktemp("pair"), Architecture(channels=(4, 5, 6, 7, 6, 5)))


@pytest.fixture(params=["random", "shipped"])
def either(request, pair):
    return pair if request.param == "random" else load_model()


def image(shape, seed=5):
    rng = np.random.default_rng(seed)
    pixels = rng.normal(0, 0.8, shape).astype(np.float32)
    for row, col in rng.integers(10, min(shape) - 10, (10, 2)):
        pixels[row : row + 4, col : col + 3] += rng.uniform(2, 6)
    return pixels


@pytest.mark.parametrize("engine", ENGINES)
def test_windows_agree_with_the_reference(either, engine):
    pixels = image((131, 178))
    starts = window_grid(np.ones(pixels.shape, bool), 49)
    judge = keras_engine.open_network(either, "detector", "cpu")
    reference = score_patches(pixels, starts, Architecture(49), judge.patches, WORK)
    network = ENGINES[engine].open_network(either, "detector", "cpu")
    assert np.abs(score_windows(pixels, starts, network, WORK) - reference).max() < 1e-4
    single = score_patches(pixels, starts, Architecture(49), network.patches, WORK)
    assert np.abs(single - reference).max() < 1e-4
    assert np.ptp(reference) > 0.1


def specks(shape):
    """Of height 1 and 0.2 mm across, for the shipped pair sees no MC in plain noise."""
    rows, cols = np.indices(shape)
    places = ((12, 15), (20, 31), (70, 88))
    return sum(np.exp(-((rows - r) ** 2 + (cols - c) ** 2) / (2 * 1.7**2)) for r, c in places)


@pytest.mark.parametrize("engine", ENGINES)
def test_pixels_agree_with_the_reference(either, engine):
    pixels = image((83, 97)) + 8 * specks((83, 97)).astype(np.float32)
    where = np.zeros(pixels.shape, bool)
    where[:31, :40] = where[60:, 80:] = True
    judge = keras_engine.open_network(either, "segmentator", "cpu")
    reference = score_pixels(pixels, where, Architecture(49), judge.patches, WORK)
    network = ENGINES[engine].open_network(either, "segmentator", "cpu")
    small_tiles = replace(network, pixels_at_once=900)
    for dense in (network, small_tiles):
        assert np.abs(score_pixels_dense(pixels, where, dense, WORK) - reference).max() < 1e-4
    assert np.ptp(reference) > 0.1


@pytest.mark.parametrize("side", [29, 39, 49])
def test_a_padded_pair_runs_on_both_engines_patch_by_patch(tmp_path, side):
    model = saved_pair(tmp_path, Architecture(side, "same", (4, 5, 6, 7, 6, 5), 8))
    patches = np.random.default_rng(2).normal(0, 0.7, (20, side, side)).astype(np.float32)
    for which in WHICH:
        networks = [engine.open_network(model, which, "cpu") for engine in ENGINES.values()]
        assert all(network.shared is None for network in networks)
        first, second = (network.patches(patches) for network in networks)
        assert np.abs(first - second).max() < 1e-4
        assert np.ptp(first) > 0.02


@pytest.mark.parametrize("lanes", [1, 3])
def test_many_patches_get_the_answers_that_each_gets_alone(tmp_path, lanes):
    model = saved_pair(tmp_path, Architecture(29, "same", (4, 5, 6, 7, 6, 5), 8))
    patches = np.random.default_rng(2).normal(0, 0.7, (75, 29, 29)).astype(np.float32)
    network = onnx_engine.open_network(model, "segmentator", "cpu", lanes)
    alone = np.concatenate([network.patches(patch[None]) for patch in patches])
    assert np.abs(network.patches(patches) - alone).max() < 1e-6
    assert network.patches(patches[:0]).shape == (0,)


@pytest.mark.parametrize("side", [29, 39, 49])
def test_a_pair_that_sees_its_surroundings_agrees_with_the_reference(tmp_path, side):
    architecture = Architecture(side, "context", (4, 5, 6, 7, 6, 5), 8)
    model, pixels = saved_pair(tmp_path, architecture), image((113, 131))
    where = np.zeros(pixels.shape, bool)
    where[:13, :20] = where[90:, 110:] = True
    starts = window_grid(np.ones(pixels.shape, bool), side)
    judges = {which: keras_engine.open_network(model, which, "cpu") for which in WHICH}
    windows = score_patches(pixels, starts, architecture, judges["detector"].patches, WORK)
    centres = score_pixels(pixels, where, architecture, judges["segmentator"].patches, WORK)
    # By hand: the square around the patch at (0, 0) of the image holds zeros on two sides.
    first = np.pad(pixels, 19)[: architecture.input_side, : architecture.input_side]
    assert windows[0] == pytest.approx(judges["detector"].patches(first[None])[0], abs=1e-5)
    for engine in ENGINES.values():
        detector, segmentator = (engine.open_network(model, which, "cpu") for which in WHICH)
        assert np.abs(score_windows(pixels, starts, detector, WORK) - windows).max() < 1e-4
        dense = score_pixels_dense(pixels, where, segmentator, WORK)
        assert np.abs(dense - centres).max() < 1e-4
        assert segmentator.shared is not None
    assert min(np.ptp(windows), np.ptp(centres[where])) > 0.02


def test_a_network_is_opened_once_for_many_images(pair):
    assert open_network(pair, "detector", "auto", "cpu") is open_network(
        pair, "detector", "auto", "cpu"
    )


def test_a_gpu_is_refused_where_there_is_none(pair):
    if onnx_engine.gpu_provider() or keras_engine.gpu_is_there():
        assert open_network(pair, "detector", "auto", "gpu")
    else:
        with pytest.raises(InputError, match="no GPU"):
            open_network(pair, "detector", "auto", "gpu")


def broken_pair(tmp_path, content):
    """The pair with another detector graph, which its manifest knows."""
    import hashlib

    model = saved_pair(tmp_path, Architecture(channels=(4,) * 6, features=4))
    name = onnx_name("detector", "plain")
    (model.folder / name).write_bytes(content)
    model.digests[name] = hashlib.sha256(content).hexdigest()
    return model


def other_graph(inputs):
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    infos = [helper.make_tensor_value_info(name, kind, [1]) for name in inputs]
    graph = helper.make_graph(
        [helper.make_node("Identity", [inputs[0]], ["probability"])],
        "other",
        infos,
        [helper.make_tensor_value_info("probability", kind, [1])],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08\x08" * 50])
def test_a_damaged_graph_is_refused_in_one_sentence(tmp_path, content):
    with pytest.raises(ModelError, match=r"detector\.onnx: ONNX Runtime cannot use it") as caught:
        onnx_engine.open_network(broken_pair(tmp_path, content), "detector", "cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("inputs", [["pixels"], ["image"], ["pixels", "more"]])
def test_a_graph_of_another_network_is_refused(tmp_path, inputs):
    model = broken_pair(tmp_path, other_graph(inputs))
    with pytest.raises(ModelError, match=r"detector\.onnx: not a graph of these networks"):
        onnx_engine.open_network(model, "detector", "cpu")


def test_a_changed_graph_is_refused(tmp_path):
    model = saved_pair(tmp_path, Architecture(channels=(4,) * 6, features=4))
    path = model.folder / "segmentator-shared.onnx"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ModelError, match="not the file its manifest names"):
        onnx_engine.open_network(load_model(model.folder), "segmentator", "cpu")


def test_the_same_weights_give_the_same_bytes(pair, tmp_path):
    from MicrocalcSegmentationLib.onnx_form import onnx_bytes

    for which in WHICH:
        architecture = pair.architectures[which]
        for form, step in (("plain", None), ("shared", architecture.shared_step(which))):
            made = onnx_bytes(architecture, pair.weights(which), step)
            assert made == (pair.folder / onnx_name(which, form)).read_bytes()


def test_the_shipped_graphs_are_those_of_the_shipped_weights():
    """Compared as graphs: another version of onnx may order the bytes otherwise."""
    from MicrocalcSegmentationLib.onnx_form import onnx_bytes

    model = load_model()
    for which in WHICH:
        architecture = model.architectures[which]
        for form, step in (("plain", None), ("shared", architecture.shared_step(which))):
            made = onnx.load_from_string(onnx_bytes(architecture, model.weights(which), step))
            shipped = onnx.load_from_string(model.file_bytes(onnx_name(which, form)))
            assert made.graph == shipped.graph
