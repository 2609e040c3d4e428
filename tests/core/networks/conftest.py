from __future__ import annotations

import pytest

from napari_spineseg.core.networks import fused, packed


@pytest.fixture
def untried():
    """What this build of torch can do is found out anew, and forgotten."""
    tried = fused._works, packed._works
    for works in tried:
        works.cache_clear()
    yield
    for works in tried:
        works.cache_clear()
