"""TensorBoard logs, written without TensorBoard or TensorFlow.

A log is a file of records, each an `Event` of TensorBoard's protocol buffer
(tensorflow/core/util/event.proto) between its length and check sums (TFRecord).
"""

import os
import struct
import time
from functools import lru_cache
from pathlib import Path

_VERSION = "brain.Event:2"
_SESSION_START = 1
_CASTAGNOLI = 0x82F63B78  # CRC-32C's polynomial, reversed
_MASK_DELTA = 0xA282EAD8


class EventLog:
    """Numbers over steps, in a new file of a folder.

    first_step: the step that training goes on from; TensorBoard drops what an interrupted
    run wrote from there on.
    """

    def __init__(self, folder: Path, first_step: int = 0):
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns() // 1_000_000:013d}.{os.getpid()}"
        self._file = (folder / name).open("ab")
        self._write(_text(3, _VERSION))
        if first_step:
            start = _varint_field(1, _SESSION_START)
            self._write(_varint_field(2, first_step) + _bytes(7, start))
            self._file.flush()

    def write(self, step: int, numbers: dict[str, float]) -> None:
        """Numbers by name, at a step."""
        values = b"".join(
            _bytes(1, _text(1, name) + _tag(2, 5) + struct.pack("<f", number))
            for name, number in numbers.items()
        )
        self._write(_varint_field(2, step) + _bytes(5, values))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, fields: bytes) -> None:
        event = _tag(1, 1) + struct.pack("<d", time.time()) + fields
        length = struct.pack("<Q", len(event))
        self._file.write(length + _checksum(length) + event + _checksum(event))


def _tag(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _varint_field(field: int, value: int) -> bytes:
    return _tag(field, 0) + _varint(value)


def _bytes(field: int, data: bytes) -> bytes:
    return _tag(field, 2) + _varint(len(data)) + data


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _checksum(data: bytes) -> bytes:
    """TFRecord's masked CRC-32C."""
    table = _table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF
    return struct.pack("<I", masked)


@lru_cache(1)
def _table() -> tuple[int, ...]:
    entries = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_CASTAGNOLI if byte & 1 else 0)
        entries.append(byte)
    return tuple(entries)
