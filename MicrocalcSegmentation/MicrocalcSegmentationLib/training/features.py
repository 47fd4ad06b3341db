"""The 64 features of the fully connected layer: what a network makes of a patch."""

import numpy as np

_AT_ONCE = 512


def features_and_scores(network, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 64) float32 normalised features, and (n,) probabilities, of (n, S, S, 1) patches."""
    import keras

    layer = network.get_layer("norm_fc1")
    both = keras.Model(network.input, [layer.output, network.output])
    parts = [
        both.predict_on_batch(patches[first : first + _AT_ONCE])
        for first in range(0, len(patches), _AT_ONCE)
    ]
    features = np.concatenate([np.asarray(part[0])[:, 0, 0] for part in parts])
    return features, np.concatenate([np.asarray(part[1])[:, 0, 0, 1] for part in parts])
