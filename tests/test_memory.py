import subprocess
import sys

import pytest

_WORK = """
import resource
from napari_spineseg.memory import keep_memory
assert {kept} is None or keep_memory() is {kept}
import numpy as np
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    for _ in range(20):
        np.ones(48 << 20, np.uint8)
work()
before = faults()
work()
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc alone")
def test_memory_is_used_again_in_place_of_fresh_pages():
    fresh, kept = (
        int(subprocess.check_output([sys.executable, "-c", _WORK.format(kept=kept)])) for kept in (None, True)
    )
    assert kept < 0.1 * fresh


def test_elsewhere_nothing_is_said(monkeypatch):
    from napari_spineseg.memory import keep_memory

    monkeypatch.setattr("sys.platform", "darwin")
    assert keep_memory() is False
