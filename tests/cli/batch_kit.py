"""Work for other processes, which know it by name."""

from __future__ import annotations

import os
import time
from pathlib import Path

from napari_spineseg import cluster

FATAL = 13


def double(number: int) -> int:
    """Twice `number`; of 13, the end of the process."""
    if number == FATAL:
        os._exit(9)
    time.sleep(0.05)
    return 2 * number


def refuse(number: int) -> int:
    """A mistake."""
    raise ValueError(f"not {number}")


def wait_to_be_stopped(folder: Path) -> None:
    """Say that it has begun, and go on until it is told to stop."""
    (folder / f"begun-{os.getpid()}").touch()
    control = cluster.control_of_worker()
    while True:
        control.check()
        time.sleep(0.02)
