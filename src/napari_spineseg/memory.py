"""Memory of a process that does nothing but train."""

from __future__ import annotations

import sys

_MMAP_MAX, _TRIM_THRESHOLD, _TOP_PAD = -4, -1, -2  # glibc, malloc.h


def keep_memory() -> bool:
    """Keep what was freed for the next step; whether that could be said (glibc alone understands).

    Otherwise large arrays are given back at once, and each step waits for fresh pages to be zeroed. The
    process then never shrinks, so this is not for one in which other things live.
    """
    import ctypes  # only here: it costs a command that trains nothing some milliseconds

    if not sys.platform.startswith("linux"):
        return False
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    wishes = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 256 << 20}
    # musl has a mallopt that refuses
    return tell is not None and all([tell(what, value) == 1 for what, value in wishes.items()])
