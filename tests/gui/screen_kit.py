"""A virtual screen that goes when the process that started it goes, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess

_PR_SET_PDEATHSIG = 1


def start_xvfb() -> tuple[subprocess.Popen, str]:
    """Start Xvfb; returns it and what DISPLAY has to be. Linux only."""
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1600x1200x24", "-nolisten", "tcp"]
    # Loaded here: between fork and exec nothing should be looked up.
    prctl = ctypes.CDLL(None).prctl
    starter = os.getpid()

    def die_with_starter() -> None:
        """A worker whose controller was killed ends without a fixture to clean up after it."""
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != starter:  # it was gone before it could be asked for
            os._exit(1)

    process = subprocess.Popen(
        command, pass_fds=[write_end], stderr=subprocess.DEVNULL, preexec_fn=die_with_starter
    )
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        return process, f":{pipe.readline().strip()}"
