"""RLE frames of DICOM: what they unpack to is counted before anything is unpacked.

A byte pair of RLE stands for up to 128 bytes, and pydicom unpacks a segment to its end before it looks at
the size: 60 MB can become 4 GB.
"""

from __future__ import annotations

import struct
from itertools import pairwise

RLE = "1.2.840.10008.1.2.5"
"""The transfer syntax."""

# A frame below this unpacks to 64 MB a segment at most: not worth the walk.
_SMALL = 1 << 20
_HEADER = 64
# Encoders pad segments by a byte, and may be clumsy; more than twice is no picture.
_SLACK = 1 << 10


def unpacks_too_far(frame: bytes, pixels: int, bytes_a_pixel: int) -> bool:
    """Whether an RLE frame holds far more than `pixels`, packed or unpacked.

    Parameters
    ----------
    frame
        Its 64-byte header and the segments, one for each byte of a pixel.
    """
    if len(frame) > 2 * pixels * bytes_a_pixel + (1 << 16):
        return True
    if len(frame) <= _SMALL:
        return False
    count, *starts = struct.unpack("<16L", frame[:_HEADER])
    starts = [*starts[: min(count, 15)], len(frame)]
    limit = 2 * pixels + _SLACK
    return any(_longer(frame, start, end, limit) for start, end in pairwise(starts))


def _longer(frame: bytes, at: int, end: int, limit: int) -> bool:
    """Whether the segment from `at` to `end` unpacks to more than `limit` bytes; stops as soon as it does."""
    size = 0
    while at < end and size <= limit:
        run = frame[at] + 1
        # Up to 128 bytes as they are, the next byte up to 128 times, or nothing.
        size += run if run < 129 else 258 - run if run > 129 else 0
        at += 1 + run if run < 129 else 2 if run > 129 else 1
    return size > limit
