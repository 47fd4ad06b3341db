"""The two networks of the method: one definition, for detector and segmentator alike.

Six 3 x 3 convolutions of stride 1, max-pooling 2 x 2 after the first and the second, a
fully connected layer of 64, and one of 2 with softmax (Valvano et al. 2019). Channel
counts and where normalisation stands are not published: they are our declared choices.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import ModelError

if TYPE_CHECKING:
    import keras

POOLED_AFTER = (1, 2)  # of the six convolutions
PADDINGS = ("valid", "same", "context")


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


def build(architecture: Architecture, name: str, sliding: bool = False) -> "keras.Model":
    """A freshly initialised Keras model.

    sliding=False: (B, S, S, 1) -> (B, 1, 1, 2), the softmax of (negative, positive); S is
    `input_side`.
    sliding=True, not for `same`: any (B, rows, cols, 1) -> (B, r, c, 2); output (i, j) is
    the network's answer for the square that starts at (4 i, 4 j).
    Both have the same weights in the same order.
    Raises ModelError when no deep-learning library is installed.
    """
    Input, Model, layers = _keras_parts()  # noqa: N806

    if sliding and not architecture.slides:
        raise ModelError(
            "a network that pads with zeros cannot slide; build it with 'valid' or 'context'"
        )
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
            name=f"conv{number}",
        )(x)  # valid: 47, 21, 8, 6, 4, 2; same: 49, 24, 12 x 4; context: 84, 40, 18 ... 12
        if number in POOLED_AFTER:
            x = layers.MaxPooling2D(2, name=f"pool{number}")(x)  # 23, 10; 24, 12; 42, 20
        x = layers.BatchNormalization(name=f"norm{number}")(x)
    # Fully connected layers, written as convolutions so that the network can slide.
    x = layers.Conv2D(
        architecture.features,
        last_side,
        activation="relu",
        kernel_initializer="he_normal",
        name="fc1",
    )(x)  # (B, 1, 1, 64)
    x = layers.BatchNormalization(name="norm_fc1")(x)
    x = layers.Dropout(architecture.dropout, name="dropout")(x)
    x = layers.Conv2D(2, 1, kernel_initializer="he_normal", name="fc2")(x)  # (B, 1, 1, 2)
    return Model(inputs, layers.Softmax(name="softmax")(x), name=name)


def _keras_parts():
    try:
        from keras import Input, Model, layers
    except ImportError as error:
        raise ModelError(
            f"the networks cannot run: {error.name or 'keras'} is not installed; "
            "run: pip install 'microcalc-segmentation[cpu]'"
        ) from error
    return Input, Model, layers
