"""Which calcifications anybody could see: an ideal observer's signal-to-noise ratio.

A peak of three deviations is plain on a coarse calcification and drowns on one of a single
pixel, and strands hide what smooth fat shows. The ideal observer weighs all of a known
signal's frequencies against the spectrum of the tissue around it (prewhitening matched
filter; ICRU Report 54, 1996); no reader and no network does better.
"""

import numpy as np

VISIBLE_FROM = 5.0  # Rose's criterion (J Opt Soc Am 1948): told from noise wherever it may be
AROUND_MM = 3.2  # the tissue that a calcification has to stand out from


def signal_to_noise(signal: np.ndarray, tissue: np.ndarray, inside: np.ndarray) -> float:
    """The ideal observer's ratio for a signal in tissue like that around it.

    signal: (n, n) what the calcification adds. tissue: (m, m) with m >= n, pixels around it
    without the calcification, in the same units; inside: bool, where tissue is breast. The
    spectrum of the tissue is taken as alike in all directions; its mean counts for nothing.
    """
    side = len(tissue)
    level = tissue[inside].mean()
    taper = np.hanning(side + 2)[1:-1]
    taper = np.where(inside, np.outer(taper, taper), 0)
    noise = np.abs(np.fft.rfft2((tissue - level) * taper)) ** 2 / np.mean(taper**2)
    ring, weight = _rings(side)
    count = np.bincount(ring.ravel(), weight.ravel())
    spectrum = np.bincount(ring.ravel(), (noise * weight).ravel()) / count
    power = np.abs(np.fft.rfft2(signal, s=(side, side))) ** 2
    shown = np.bincount(ring.ravel(), (power * weight).ravel())
    least = np.finfo(np.float32).tiny  # tissue without any texture hides nothing
    return float(np.sqrt((shown[1:] / np.maximum(spectrum[1:], least)).sum()))


def _rings(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each frequency of `rfft2`: its whole distance from 0, and how often it stands."""
    down, right = np.fft.fftfreq(side, 1 / side), np.fft.rfftfreq(side, 1 / side)
    ring = np.rint(np.hypot(down[:, None], right[None])).astype(int)
    twice = (right > 0) & (right < side / 2)
    return ring, np.broadcast_to(1.0 + twice, ring.shape)
