"""DICOM's RLE (PS3.5 annex G).

Decoded here because the plug-in for it aborts, past any handler of exceptions, on a
damaged segment. A whole film takes about half a second.
"""

import struct

import numpy as np

_HEADER_BYTES = 64


def decode(frame: bytes, shape: tuple[int, int], bytes_per_pixel: int) -> np.ndarray:
    """(rows, cols) of unsigned integers from one RLE frame.

    Raises ValueError when a segment is missing, or holds fewer bytes than the image.
    """
    if len(frame) < _HEADER_BYTES:
        raise ValueError("the table of segments is cut short")
    count, *starts = struct.unpack_from("<16L", frame)
    if count != bytes_per_pixel:
        raise ValueError(f"{count} segments instead of {bytes_per_pixel}")
    size = shape[0] * shape[1]
    ends = [*starts[1:count], len(frame)]
    # The segments are planes of bytes, the most significant first.
    planes = [
        _unpacked(frame[start:end], size) for start, end in zip(starts[:count], ends, strict=True)
    ]
    pixels = np.stack(planes[::-1], axis=-1)
    return pixels.view(f"<u{bytes_per_pixel}").reshape(shape)


def _unpacked(segment: bytes, size: int) -> np.ndarray:
    """The first `size` bytes that a segment of byte runs stands for."""
    runs = []
    position = decoded = 0
    while decoded < size and position < len(segment):
        code = segment[position]
        if code < 128:  # so many literal bytes, and one more
            runs.append(segment[position + 1 : position + 2 + code])
            position += code + 2
        elif code > 128:  # the next byte, repeated
            runs.append(segment[position + 1 : position + 2] * (257 - code))
            position += 2
        else:
            position += 1
            continue
        decoded += len(runs[-1])
    if decoded < size:
        raise ValueError(f"a segment has {decoded:,} of {size:,} bytes")
    return np.frombuffer(b"".join(runs), np.uint8, size)
