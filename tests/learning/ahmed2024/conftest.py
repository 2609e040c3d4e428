import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("release", Path(__file__).parent / "release.py")
_release = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_release)


@pytest.fixture
def write_release():
    """Writes a small release, see `release.py`."""
    return _release.write_release


@pytest.fixture
def release(tmp_path):
    """Ten patients with four slices each."""
    return _release.write_release(tmp_path / "data", {str(n): range(50, 54) for n in range(1, 11)})
