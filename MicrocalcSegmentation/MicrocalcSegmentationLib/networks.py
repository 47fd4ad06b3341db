"""The two networks of the method: one definition, for detector and segmentator alike.

Six 3 x 3 convolutions of stride 1, max-pooling 2 x 2 after the first and the second, a
fully connected layer of 64, and one of 2 with softmax (Valvano et al. 2019). Channel
counts and where normalisation stands are not published: they are our declared choices.
"""

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .errors import ModelError

if TYPE_CHECKING:
    import keras

POOLED_AFTER = (1, 2)  # of the six convolutions
PADDINGS = ("valid", "same", "context")
# Of the arithmetic while training, and Keras's name for it; weights are float32 always.
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
EPSILON = 1e-3  # added to the variance by batch normalisation; Keras's own
LAYERS = (*(f"conv{number}" for number in range(1, 7)), "fc1", "fc2")
NORMS = (*(f"norm{number}" for number in range(1, 7)), "norm_fc1")  # after all but the last


@dataclass(frozen=True)
class Architecture:
    """What defines a network's shape.

    patch_side: N, the side of the patch it classifies, in pixels.
    padding: of every 3 x 3 convolution. "valid" and "same" are the method's. "context" is
        ours: feature maps as large as with "same", but what lies beyond the patch is the
        image itself instead of zeros, so that the network is given a larger square.
    channels: of the six convolutions. features: of the fully connected layer.
    """

    patch_side: int = 49
    padding: str = "valid"
    channels: tuple[int, ...] = (16, 32, 32, 32, 32, 32)
    features: int = 64
    dropout: float = 0.5

    def __post_init__(self):
        if self.padding not in PADDINGS:
            known = ", ".join(PADDINGS)
            raise ModelError(f"padding {self.padding!r} is unknown; use one of: {known}")
        if len(self.channels) != 6:
            raise ModelError(f"{len(self.channels)} channel counts given; the method has 6")
        if self.patch_side < 22:
            raise ModelError(f"a patch side of {self.patch_side} is too small; use 29, 39 or 49")

    @property
    def stride(self) -> int:
        """Pixels between neighbouring outputs when the network slides over an image."""
        return 2 ** len(POOLED_AFTER)

    @property
    def kernels(self) -> tuple[int, ...]:
        """Side of each convolution's kernel, and last that of the fully connected layer.

        Where `valid` leaves a map of less than 3 pixels (N = 29 and 39), no 3 x 3 kernel
        fits; there the kernel narrows to 1 x 1, which keeps six layers and adds no padding.
        """
        side, kernels = self.patch_side, []
        for number in range(1, 7):
            kernels.append(3 if self.padding != "valid" or side >= 3 else 1)
            if self.padding == "valid":
                side -= kernels[-1] - 1
            if number in POOLED_AFTER:
                side //= 2
        return (*kernels, side)

    @property
    def seen_side(self) -> int:
        """Side of the square that the answer of a network without zero padding depends on.

        46 of 49 for `valid`: the poolings of odd maps leave their last row and column out.
        Counted from the first pixel that the network is given.
        """
        *kernels, side = self.kernels
        for number in range(6, 0, -1):
            if number in POOLED_AFTER:
                side *= 2
            side += kernels[number - 1] - 1
        return side

    @property
    def input_side(self) -> int:
        """Side of the square that the network is given: N, or 86 for `context` at N = 49."""
        return self.seen_side if self.padding == "context" else self.patch_side

    @property
    def margin(self) -> int:
        """Pixels of that square before the patch's first: 0, or 19 for `context`."""
        if self.padding != "context":
            return 0
        margin, pixel = 0, 1
        for number in range(1, 7):
            margin += pixel  # what a 3 x 3 kernel reaches beyond its map
            pixel *= 2 if number in POOLED_AFTER else 1
        return margin

    @property
    def slides(self) -> bool:
        """Whether it gives the same answer to a patch wherever it stands in an image."""
        return self.padding != "same"

    def shared_step(self, which: str) -> int | None:
        """Pixels between the answers that the dense evaluation asks of a network: 1 of the
        segmentator, half a side of the detector, the stride of the one that knows arteries.
        None where neighbouring patches cannot share their work: with padding of zeros, and
        where the step is no multiple of the stride.
        """
        steps = {"segmentator": 1, "detector": self.patch_side // 2, "arteries": self.stride}
        step = steps[which]
        shares = self.slides and (step == 1 or step % self.stride == 0)
        return step if shares else None

    def bytes_per_pixel(self, step: int) -> int:
        """Memory that a pixel takes when answers are `step` apart: a layer's map and the next."""
        per_pixel = [1.0]  # float32 values of each map
        for number, count in enumerate((*self.channels, self.features), 1):
            pooled = 0 if step == 1 else sum(number > before for before in POOLED_AFTER)
            per_pixel.append(count / 4**pooled)
        return round(4 * max(a + b for a, b in pairwise(per_pixel)))

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight by its name; kernels are (rows, cols, in, out)."""
        outs = (*self.channels, self.features, 2)
        ins = (1, *outs[:-1])
        shapes: dict[str, tuple[int, ...]] = {}
        for name, side, before, after in zip(LAYERS, (*self.kernels, 1), ins, outs, strict=True):
            shapes |= {f"{name}/kernel": (side, side, before, after), f"{name}/bias": (after,)}
        for name, count in zip(NORMS, outs, strict=False):
            for role in ("gamma", "beta", "moving_mean", "moving_variance"):
                shapes[f"{name}/{role}"] = (count,)
        return shapes


Convolutions = list[tuple[np.ndarray, np.ndarray]]


def fold(weights: dict[str, np.ndarray]) -> Convolutions:
    """The eight convolutions of a network without zero padding, batch normalisation put in.

    weights: named and shaped as in `Architecture.weight_shapes`.
    Returns (kernel, bias) float32, kernels (rows, cols, in, out). The last has one output,
    the logit: the softmax of two is the logistic function of their difference.
    """
    folded = []
    scale, shift = np.ones(1), np.zeros(1)
    for number, name in enumerate(LAYERS):
        kernel = weights[f"{name}/kernel"].astype(np.float64)
        # Without padding every tap of a kernel sees a normalised value, so this is exact.
        bias = weights[f"{name}/bias"] + np.einsum("rcio,i->o", kernel, shift)
        kernel = kernel * scale[:, None]
        if name != LAYERS[-1]:
            scale, shift = affine(weights, NORMS[number])
        else:
            kernel, bias = kernel[..., 1:] - kernel[..., :1], bias[1:] - bias[:1]
        folded.append((kernel.astype(np.float32), bias.astype(np.float32)))
    return folded


def affine(weights: dict[str, np.ndarray], norm: str) -> tuple[np.ndarray, np.ndarray]:
    """Batch normalisation in use: (scale, shift) per channel, float64."""
    gamma, beta, mean, variance = (
        weights[f"{norm}/{role}"].astype(np.float64)
        for role in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    scale = gamma / np.sqrt(variance + EPSILON)
    return scale, beta - mean * scale


def build(
    architecture: Architecture, name: str, sliding: bool = False, precision: str = "float32"
) -> "keras.Model":
    """A freshly initialised Keras model.

    sliding=False: (B, S, S, 1) -> (B, 1, 1, 2), the softmax of (negative, positive); S is
    `input_side`.
    sliding=True, not for `same`: any (B, rows, cols, 1) -> (B, r, c, 2); output (i, j) is
    the network's answer for the square that starts at (4 i, 4 j).
    Both have the same weights in the same order, float32 in either precision.
    Raises ModelError when no deep-learning library is installed, or for an unknown precision.
    """
    Input, Model, layers = _keras_parts()  # noqa: N806

    if precision not in PRECISIONS:
        known = ", ".join(PRECISIONS)
        raise ModelError(f"precision {precision!r} is unknown; use one of: {known}")
    if sliding and not architecture.slides:
        raise ModelError(
            "a network that pads with zeros cannot slide; build it with 'valid' or 'context'"
        )
    policy = PRECISIONS[precision]
    side = None if sliding else architecture.input_side
    *kernels, last_side = architecture.kernels
    padding = "same" if architecture.padding == "same" else "valid"
    x = inputs = Input((side, side, 1))  # (B, 49, 49, 1); context: 86
    for number, (channels, kernel) in enumerate(
        zip(architecture.channels, kernels, strict=True), 1
    ):
        x = layers.Conv2D(
            channels,
            kernel,
            padding=padding,
            activation="relu",
            kernel_initializer="he_normal",
            dtype=policy,
            name=f"conv{number}",
        )(x)  # valid: 47, 21, 8, 6, 4, 2; same: 49, 24, 12 x 4; context: 84, 40, 18 ... 12
        if number in POOLED_AFTER:
            pooled = layers.MaxPooling2D(2, dtype=policy, name=f"pool{number}")
            x = pooled(x)  # 23, 10; 24, 12; 42, 20
        x = layers.BatchNormalization(epsilon=EPSILON, dtype=policy, name=f"norm{number}")(x)
    # Fully connected layers, written as convolutions so that the network can slide.
    x = layers.Conv2D(
        architecture.features,
        last_side,
        activation="relu",
        kernel_initializer="he_normal",
        dtype=policy,
        name="fc1",
    )(x)  # (B, 1, 1, 64)
    x = layers.BatchNormalization(epsilon=EPSILON, dtype=policy, name="norm_fc1")(x)
    # A seed that Keras itself would draw; without one, PyTorch's own state, which no checkpoint
    # holds, decides what is dropped.
    drawn = random.randint(1, int(1e9))
    x = layers.Dropout(architecture.dropout, seed=drawn, dtype=policy, name="dropout")(x)
    # From here on float32: a bfloat16 probability has two digits, too few to learn from.
    x = layers.Conv2D(2, 1, kernel_initializer="he_normal", name="fc2")(x)  # (B, 1, 1, 2)
    return Model(inputs, layers.Softmax(name="softmax")(x), name=name)


def compiles() -> bool:
    """Whether Keras is to compile a network's steps before it trains.

    JAX needs it, as each operation by itself is slow there; XLA under TensorFlow takes minutes
    for what trains in seconds, and PyTorch's compiler needs a C++ compiler beside it.
    """
    import keras

    return keras.backend.backend() == "jax"


def build_dense(architecture: Architecture, convolutions: Convolutions) -> "keras.Model":
    """A network without zero padding, its logit at every pixel.

    (B, rows, cols, 1) -> (B, r, c, 1). Output (i, j) is for the square that starts at (i, j).
    Where the network pools, this one takes the maximum around every pixel, and spreads the
    taps of all later kernels by two: each output meets the very values that it would meet in
    a patch of its own, and nothing is computed twice. convolutions: of `fold`.
    """
    Input, Model, layers = _keras_parts()  # noqa: N806
    x = inputs = Input((None, None, 1))
    spread = 1
    for number, (kernel, _) in enumerate(convolutions, 1):
        x = layers.Conv2D(
            kernel.shape[-1],
            kernel.shape[0],
            dilation_rate=spread,
            activation=None if number == len(convolutions) else "relu",
            name=LAYERS[number - 1],
        )(x)
        if number in POOLED_AFTER:
            for axis in (1, 2):
                ends = [(0, 0), (0, 0)]
                ends[axis - 1] = (0, spread)
                first = layers.Cropping2D(ends)(x)
                ends[axis - 1] = (spread, 0)
                x = layers.Maximum()([first, layers.Cropping2D(ends)(x)])
            spread *= 2
    network = Model(inputs, x, name="dense")
    network.set_weights([array for pair in convolutions for array in pair])
    return network


def _keras_parts():
    try:
        from keras import Input, Model, layers
    except ImportError as error:
        raise ModelError(
            f"the networks cannot run: {error.name or 'keras'} is not installed; "
            "run: pip install 'microcalc-segmentation[cpu]'"
        ) from error
    return Input, Model, layers
