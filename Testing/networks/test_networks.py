import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import ModelError
from MicrocalcSegmentationLib.networks import Architecture, build

CHANNELS = (4, 4, 4, 4, 4, 4)


def layers_of(network, kind):
    return [layer for layer in network.layers if type(layer).__name__ == kind]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("side", [29, 39, 49])
def test_every_published_patch_side_and_padding_gives_two_probabilities(side, padding):
    network = build(Architecture(side, padding, CHANNELS, 8), "detector")
    answer = network.predict_on_batch(np.zeros((3, side, side, 1), np.float32))
    assert answer.shape == (3, 1, 1, 2)
    assert np.allclose(answer.sum(axis=-1), 1)


def test_layers_are_the_methods():
    network = build(Architecture(), "segmentator")
    convolutions = layers_of(network, "Conv2D")
    assert [layer.filters for layer in convolutions] == [16, 32, 32, 32, 32, 32, 64, 2]
    assert len(layers_of(network, "MaxPooling2D")) == 2
    assert len(layers_of(network, "BatchNormalization")) == 7  # after every layer but the last
    assert [layer.rate for layer in layers_of(network, "Dropout")] == [0.5]


def test_valid_maps_of_49_shrink_as_published():
    network = build(Architecture(), "detector")
    sides = [layer.output.shape[1] for layer in network.layers[1:] if "norm" not in layer.name]
    assert sides == [47, 23, 21, 10, 8, 6, 4, 2, 1, 1, 1, 1]


def test_same_ends_in_12_by_12_features():
    network = build(Architecture(padding="same"), "detector")
    assert network.get_layer("fc1").kernel_size == (12, 12)


def test_sliding_gives_each_patch_its_own_answer(small):
    patch, slide = build(small, "a"), build(small, "a", sliding=True)
    slide.set_weights(patch.get_weights())
    image = np.random.default_rng(0).normal(size=(81, 73)).astype(np.float32)
    answers = slide.predict_on_batch(image[None, ..., None])[0]
    # An output whose 46 seen pixels fit, but whose 49 do not, has no patch to compare with.
    rows, cols = (81 - 49) // 4 + 1, (73 - 49) // 4 + 1
    starts = [(4 * r, 4 * c) for r in range(rows) for c in range(cols)]
    patches = np.stack([image[r : r + 49, c : c + 49] for r, c in starts])[..., None]
    expected = patch.predict_on_batch(patches)[:, 0, 0].reshape(rows, cols, 2)
    assert np.abs(answers[:rows, :cols] - expected).max() < 1e-5


def test_the_seen_side_is_what_the_answer_depends_on(small):
    network = build(small, "a")
    patch = np.random.default_rng(1).normal(size=(1, 49, 49, 1)).astype(np.float32)
    before = network.predict_on_batch(patch)
    beyond = patch.copy()
    beyond[:, small.seen_side :] += 5
    beyond[:, :, small.seen_side :] += 5
    assert np.array_equal(network.predict_on_batch(beyond), before)
    within = patch.copy()
    within[:, small.seen_side - 1] += 5
    assert not np.array_equal(network.predict_on_batch(within), before)


def test_a_padded_network_does_not_slide():
    with pytest.raises(ModelError, match="valid"):
        build(Architecture(padding="same"), "a", sliding=True)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"padding": "full"}, "padding 'full'"),
        ({"channels": (8, 8)}, "the method has 6"),
        ({"patch_side": 9}, "too small"),
    ],
)
def test_an_impossible_architecture_is_refused(wrong, says):
    with pytest.raises(ModelError, match=says):
        Architecture(**wrong)
