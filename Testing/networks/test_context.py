"""Padding `context`: feature maps as of `same`, yet the same answer wherever a patch stands."""

import keras
import numpy as np
import pytest
from MicrocalcSegmentationLib.networks import Architecture, build

CHANNELS = (4, 6, 6, 6, 6, 6)


@pytest.mark.parametrize("side", [29, 39, 49])
def test_feature_maps_are_as_large_as_with_same(side):
    context = build(Architecture(side, "context", CHANNELS, 8), "a")
    same = build(Architecture(side, "same", CHANNELS, 8), "b")
    assert context.get_layer("fc1").kernel_size == same.get_layer("fc1").kernel_size
    assert [w.shape for w in context.get_weights()] == [w.shape for w in same.get_weights()]
    last = context.get_layer("norm6").output.shape[1:3]
    assert last == same.get_layer("norm6").output.shape[1:3]


def test_the_sizes_at_49_are_the_documented_ones():
    architecture = Architecture(49, "context")
    assert (architecture.input_side, architecture.margin) == (86, 19)
    assert (Architecture(49).input_side, Architecture(49).margin) == (49, 0)


def test_inside_a_large_image_same_with_real_surroundings_is_context():
    """Where a `same` network's own zeros are out of reach, both compute the same maps."""
    context = Architecture(49, "context", CHANNELS, 8)
    network = build(context, "a")
    image = np.random.default_rng(0).normal(size=(1, 134, 134, 1)).astype(np.float32)
    start = 44  # of the patch; a multiple of 4, so that pooling falls on the same pixels
    whole = build(Architecture(134, "same", CHANNELS, 8), "b")
    # All but the fully connected layers have the same shapes.
    for layer in whole.layers[1:15]:
        if layer.get_weights():
            layer.set_weights(network.get_layer(layer.name).get_weights())
    maps = keras.Model(whole.input, whole.get_layer("norm6").output)
    own = keras.Model(network.input, network.get_layer("norm6").output)
    first = start - context.margin
    square = image[:, first : first + context.input_side, first : first + context.input_side]
    expected = np.asarray(maps.predict_on_batch(image))[0, 11:23, 11:23]
    assert np.abs(np.asarray(own.predict_on_batch(square))[0] - expected).max() < 1e-5


def test_sliding_gives_each_patch_its_own_answer():
    architecture = Architecture(29, "context", CHANNELS, 8)
    patch, slide = build(architecture, "a"), build(architecture, "a", sliding=True)
    slide.set_weights(patch.get_weights())
    image = np.random.default_rng(0).normal(size=(101, 93)).astype(np.float32)
    answers = np.asarray(slide.predict_on_batch(image[None, ..., None]))[0]
    side = architecture.input_side
    rows, cols = (101 - side) // 4 + 1, (93 - side) // 4 + 1
    assert answers.shape[:2] == (rows, cols)
    squares = np.stack(
        [
            image[4 * r : 4 * r + side, 4 * c : 4 * c + side]
            for r in range(rows)
            for c in range(cols)
        ]
    )
    expected = np.asarray(patch.predict_on_batch(squares[..., None]))[:, 0, 0]
    assert np.abs(answers - expected.reshape(rows, cols, 2)).max() < 1e-5


def test_same_does_depend_on_where_its_zeros_are():
    """Why `context` exists: shifted by a whole stride, `same` answers otherwise."""
    network = build(Architecture(49, "same", CHANNELS, 8), "a")
    image = np.random.default_rng(0).normal(size=(53, 49, 1)).astype(np.float32)
    maps = keras.Model(network.input, network.get_layer("norm6").output)
    answers = np.asarray(maps.predict_on_batch(np.stack([image[:49], image[4:]])))
    assert np.abs(answers[0, 1:] - answers[1, :-1]).max() > 1e-3
