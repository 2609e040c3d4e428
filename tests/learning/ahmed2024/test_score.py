import numpy as np
import pytest
import torch

from napari_spineseg.core.checkpoint import LoadedModel, ModelCard
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.core.predict import PredictOptions
from napari_spineseg.learning.ahmed2024 import score as scoring
from napari_spineseg.learning.ahmed2024.published import INPUT, NETWORK
from napari_spineseg.learning.ahmed2024.score import as_scan, score
from napari_spineseg.learning.ahmed2024.slices import read_slices
from napari_spineseg.progress import Control

# Grey values of the phantom, after the stretch to 8 bit: 30, 90, 160, 240 with noise.
BANDS = ((0.18, 0.42, 1), (0.42, 0.72, 2), (0.72, 2.0, 3))


class Reader(torch.nn.Module):
    """Knows the phantom by its greys; `short` rows at the top are background to it."""

    def __init__(self, short: int = 0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.short = short

    def forward(self, image):
        smooth = torch.nn.functional.avg_pool2d(image[:, :1], 5, 1, 2)
        classes = sum(((smooth > low) & (smooth <= high)) * kind for low, high, kind in BANDS)[:, 0].long()
        classes[:, : self.short] = 0
        return torch.nn.functional.one_hot(classes, 4).movedim(-1, 1).float() * 10


def model(network_name=NETWORK, spec=INPUT, short=0):
    return LoadedModel(Reader(short).eval(), ModelCard(name="reader", network=network_name, input=spec))


@pytest.fixture
def slices(write_release, tmp_path):
    return read_slices(write_release(tmp_path, {"1": range(4), "2": range(4)}))


def scored(model, slices):
    rows = np.array([6, 1, 3])
    return score(model, slices, rows, PredictOptions(crop=False, precision="fp32"), Control())


def test_who_reads_well_scores_well_on_both_grids(slices):
    figures = scored(model(), slices)
    for grid in ("published_grid", "own_grid"):
        assert list(figures[grid]) == ["disc", "vertebra", "spinal canal", "mean"]
        assert figures[grid]["mean"]["dice"] > 0.85
    assert figures["published_grid"]["vertebra"]["asd"] != figures["own_grid"]["vertebra"]["asd"]


def test_a_miss_costs_recall(slices):
    whole, cut = scored(model(), slices), scored(model(short=80), slices)
    for grid in ("published_grid", "own_grid"):
        assert cut[grid]["spinal canal"]["recall"] < whole[grid]["spinal canal"]["recall"] - 0.1


def test_another_network_is_scored_as_segment_runs_it(slices):
    spec = InputSpec(size_px=(256, 256), neighbours=0, stride=16, normalise="minmax")
    ours, other = scored(model(), slices), scored(model("spine_net", spec), slices)
    assert other["own_grid"] == ours["own_grid"]
    # Its labels are brought to 256 × 256, rather than its input.
    assert 0.85 < other["published_grid"]["mean"]["dice"] != ours["published_grid"]["mean"]["dice"]


def test_piling_up_unrelated_slices_flatters():
    """One slice off by two pixels, in a pile with others: what the paper's ASD saw of it."""
    rng = np.random.default_rng(0)
    reference = np.zeros((8, 40, 40), bool)
    for slice_ in reference:
        top, left = rng.integers(2, 18, 2)
        slice_[top : top + 16, left : left + 16] = True
    predicted = np.roll(reference, 2, 1)
    true = np.mean(
        [scoring.agreement(a, b, (1.0, 1.0)).asd for a, b in zip(reference, predicted, strict=True)]
    )
    stacked = scoring._stacked(reference, predicted)
    assert stacked["asd_px"] < 0.6 * true
    assert stacked["nsd"] > 0.9


def test_a_stack_is_a_scan_on_its_own_axes(slices):
    scan = as_scan(slices.stacks[0])
    assert np.array_equal(scan.sagittal(), slices.stacks[0].images)
    assert scan.grid.to_orientation().grid.spacing == pytest.approx(slices.stacks[0].spacing)
