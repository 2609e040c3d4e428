"""The screens of the tests themselves."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="screens are started on Linux")


def test_a_screen_goes_with_the_process_that_started_it_however_that_ends():
    """Killing pytest's controller left the screens of its workers behind."""
    words = "import screen_kit, time; print(screen_kit.start_xvfb()[0].pid, flush=True); time.sleep(60)"
    starter = subprocess.Popen(
        [sys.executable, "-c", words], cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True
    )
    screen = int(starter.stdout.readline())
    assert runs(screen)
    starter.kill()
    starter.wait()
    until = time.monotonic() + 20
    while runs(screen):
        assert time.monotonic() < until, "the screen stayed"
        time.sleep(0.05)


def runs(pid: int) -> bool:
    """Whether a process lives; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
