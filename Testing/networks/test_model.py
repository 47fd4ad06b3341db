import hashlib
import json

import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import ModelError
from MicrocalcSegmentationLib.model import (
    Model,
    OperatingPoint,
    load_model,
    save_model,
    write_graphs,
)
from MicrocalcSegmentationLib.networks import build


@pytest.fixture
def saved(tmp_path, small):
    networks = {which: build(small, which) for which in ("detector", "segmentator")}
    architectures = dict.fromkeys(networks, small)
    model = Model(
        "mine",
        "3",
        tmp_path / "mine",
        architectures,
        0.9,
        0.4,
        figures={"a": 1},
        training={"seed": 2},
        operating_points=(OperatingPoint(0.9, 0.5, 20.0, 0.1),),
    )
    save_model(model, networks)
    return model, networks


def test_a_pair_comes_back_as_it_was_saved(saved):
    model, networks = saved
    read = load_model(model.folder)
    assert (read.name, read.version, read.threshold, read.detector_threshold) == (
        "mine",
        "3",
        0.9,
        0.4,
    )
    assert read.figures == {"a": 1}
    assert read.training == {"seed": 2}
    assert read.operating_points == model.operating_points
    assert read.architectures == model.architectures
    for which, network in networks.items():
        for ours, theirs in zip(
            read.network(which).get_weights(), network.get_weights(), strict=True
        ):
            assert np.array_equal(ours, theirs)


def test_a_sliding_network_takes_the_same_weights(saved):
    model, networks = saved
    read = load_model(model.folder).network("segmentator", sliding=True)
    for ours, theirs in zip(read.get_weights(), networks["segmentator"].get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_weights_of_another_shape_are_refused(saved):
    model, _ = saved
    path = model.folder / "detector.npz"
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["conv3/kernel"] = arrays["conv3/kernel"][..., :-1]
    np.savez(path, **arrays)
    manifest = json.loads((model.folder / "manifest.json").read_text())
    manifest["networks"]["detector"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (model.folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"detector\.npz: does not fit the network \(conv3/kernel"):
        load_model(model.folder).weights("detector")


def test_a_manifest_without_graphs_is_read(saved):
    """Of a model made before there were any."""
    model, _ = saved
    path = model.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for network in manifest["networks"].values():
        del network["onnx_sha256"]
    path.write_text(json.dumps(manifest))
    read = load_model(model.folder)
    assert not read.has_onnx
    assert write_graphs(read).has_onnx
    assert load_model(model.folder).has_onnx


def test_changed_weights_are_refused(saved):
    path = saved[0].folder / "detector.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=r"detector\.npz: not the file its manifest names"):
        _ = load_model(saved[0].folder).detector


def test_missing_weights_are_refused(saved):
    (saved[0].folder / "segmentator.npz").unlink()
    with pytest.raises(ModelError, match=r"segmentator\.npz: missing"):
        _ = load_model(saved[0].folder).segmentator


def test_a_pickle_in_the_weights_is_not_opened(saved, tmp_path):
    model, _ = saved

    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    path = model.folder / "detector.npz"
    np.savez(path, **{"conv1/kernel": np.array([Bomb()], object)}, allow_pickle=True)
    manifest = json.loads((model.folder / "manifest.json").read_text())
    manifest["networks"]["detector"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (model.folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="does not fit the network"):
        _ = load_model(model.folder).detector
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"manifest_version": 99}'])
def test_a_damaged_manifest_is_refused_by_name(saved, text):
    (saved[0].folder / "manifest.json").write_text(text)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        load_model(saved[0].folder)


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ModelError, match="no-such-pair: no such model"):
        load_model("no-such-pair")
