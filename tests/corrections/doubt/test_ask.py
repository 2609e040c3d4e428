"""The model is asked afterwards what it would have said while segmenting."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.core.predict import PredictOptions, predict
from napari_spineseg.corrections.doubt import find_doubts
from napari_spineseg.corrections.doubt.ask import ask_model
from napari_spineseg.errors import Stopped
from napari_spineseg.progress import Control


@pytest.fixture
def tiny(tiny_weights):
    return load_model(tiny_weights)


def test_the_places_are_those_that_uncertainty_at_the_time_leads_to(tiny, small_scan):
    turn = small_scan.grid.to_orientation()
    seen = predict(small_scan, tiny, PredictOptions(uncertainty=True)).uncertainty
    no_rules = np.zeros(turn.grid.shape, np.uint16)
    at_the_time = find_doubts(no_rules, turn.grid.spacing, turn.apply(seen))
    told = ask_model(small_scan, tiny)
    assert {doubt.kind for doubt in at_the_time} == {"unsure"}
    assert find_doubts(no_rules, turn.grid.spacing, told) == at_the_time
    # The list takes places out of what it is given: out of its own copy.
    assert find_doubts(no_rules, turn.grid.spacing, told) == at_the_time


def test_it_stops_when_asked(tiny, small_scan):
    with pytest.raises(Stopped):
        ask_model(small_scan, tiny, Control(should_stop=lambda: True))
