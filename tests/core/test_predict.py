from __future__ import annotations

import gc
import itertools
import weakref
from importlib import import_module

import numpy as np
import pytest
import torch
from nibabel import orientations
from torch import nn

from napari_spineseg.core import crew, device
from napari_spineseg.core.checkpoint import LoadedModel, ModelCard
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.core.networks.modified_unet import ModifiedUNet
from napari_spineseg.core.networks.spine_net import SpineNet
from napari_spineseg.core.predict import PredictOptions, predict, predict_slice
from napari_spineseg.errors import ModelError, SettingsError, Stopped
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

from .conftest import Threshold, threshold_model

predict_module = import_module("napari_spineseg.core.predict")
ORIENTATIONS = [
    codes for axes in itertools.permutations(("LR", "AP", "IS")) for codes in itertools.product(*axes)
]


def blocks(shape=(6, 40, 32)) -> np.ndarray:
    """(slices, height, width): noise with a bright column, brighter blocks in it, and a rim."""
    rng = np.random.default_rng(0)
    volume = rng.normal(20, 2, shape)
    volume[1:-1, 4:-4, 10:16] = 60
    volume[1:-1, 8:14, 10:16] = 90
    volume[2:-1, 4:-4, 18:21] = 120
    return volume.astype(np.float32)


def sagittal_scan(volume: np.ndarray, spacing=(4.0, 1.0, 1.0)) -> Scan:
    """A scan whose voxels are already sagittal slices, rows downward, columns to the back."""
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = spacing[0], -spacing[1], -spacing[2], 1
    affine[:3, 3] = 12.5, -30, 71
    return Scan(volume, affine)


def turned(scan: Scan, codes: tuple[str, str, str]) -> Scan:
    """The same scan stored along other axes."""
    turn = scan.grid.to_orientation(codes)
    return Scan(np.ascontiguousarray(turn.apply(scan.voxels)), turn.grid.affine)


def test_there_are_48_orientations():
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("codes", ORIENTATIONS, ids="".join)
def test_labels_are_the_same_whatever_the_orientation(codes, threshold):
    scan = sagittal_scan(blocks())
    expected = predict(scan, threshold).structures
    assert set(np.unique(expected)) == {0, 1, 2, 3}

    other = turned(scan, codes)
    structures = predict(other, threshold).structures

    assert structures.shape == other.voxels.shape
    assert structures.dtype == np.uint8
    back = orientations.apply_orientation(
        structures,
        orientations.ornt_transform(
            orientations.io_orientation(other.affine), orientations.io_orientation(scan.affine)
        ),
    )
    np.testing.assert_array_equal(back, expected)


def spine_like(slices=9, size=160) -> np.ndarray:
    """(slices, size, size): tissue, a bright column in the middle slices, and a mark that sets the scale."""
    volume = np.random.default_rng(1).normal(20, 2, (slices, size, size)).astype(np.float32)
    volume[:, :2, :2], volume[:, 2:4, :2] = 150, 0
    for i in range(2, slices - 2):
        volume[i, 30:130, 60 + i : 80 + i] = 60
        volume[i, 30:130, 84 + i : 90 + i] = 120
    return volume


@pytest.fixture(autouse=True)
def no_probing(monkeypatch):
    """A reduced precision is first compared with float32, which would count as more passes."""
    monkeypatch.setattr(device, "bf16_pays", lambda: False)


class Counted(Threshold):
    """The threshold network, with the sizes of what went through it."""

    def __init__(self) -> None:
        super().__init__((0.1, 0.4, 0.6, 0.8))
        self.seen: list[tuple[int, int]] = []

    def __deepcopy__(self, memo):
        return self  # folding makes a copy, and this one is to be asked afterwards

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.seen.append(tuple(image.shape[2:]))
        return super().forward(image)


def counted_model() -> tuple[LoadedModel, list[tuple[int, int]]]:
    network = Counted()
    return LoadedModel(network.eval(), threshold_model(normalise="minmax").card), network.seen


def test_looking_only_where_the_spine_is_changes_nothing_but_the_work():
    scan = sagittal_scan(spine_like(25))
    model, seen = counted_model()

    whole = predict(scan, model, PredictOptions(crop=False))
    work = sum(h * w for h, w in seen)
    seen.clear()
    cropped = predict(scan, model, PredictOptions(crop=True))

    assert (whole.structures > 0).sum() > 10_000
    # 20 mm around the spine, as far as slices between it reach
    window = cropped.structures[:, 10:150, 40:150], whole.structures[:, 10:150, 40:150]
    np.testing.assert_array_equal(*window)
    assert sum(h * w for h, w in seen) < 0.75 * work


def test_a_spine_that_leaves_the_window_is_followed():
    volume = spine_like(9)
    volume[3, 60:100, 0:80] = 60  # only in a slice between the whole ones
    scan = sagittal_scan(volume)
    model, _ = counted_model()
    structures = predict(scan, model).structures
    assert structures[3, 80, :80].min() > 0


def test_a_tumour_is_looked_for_everywhere():
    model, seen = counted_model()
    card = model.card.model_copy(update={"structures": ["background", "tumour", "tumour", "tumour"]})
    prediction = predict(sagittal_scan(spine_like(9)), LoadedModel(model.network, card))
    assert len(seen) == 9 and set(seen) == {(160, 160)}
    assert set(np.unique(prediction.structures)) == {0, 4}


def test_tiles_give_what_one_piece_gives():
    scan = sagittal_scan(spine_like(5))
    model, seen = counted_model()
    whole = predict(scan, model, PredictOptions(crop=False))
    pieces = len(seen)
    tiled = predict(scan, model, PredictOptions(crop=False, tile_px=64))
    np.testing.assert_array_equal(tiled.structures, whole.structures)
    assert len(seen) - pieces == 9 * pieces


@pytest.mark.parametrize("tile_px", [1536, 64])
def test_stop_is_heeded_at_the_next_tile(tile_px, monkeypatch):
    monkeypatch.setattr(crew, "usable_cpus", lambda: 1)
    model, seen = counted_model()
    with pytest.raises(Stopped):
        predict(
            sagittal_scan(spine_like(9)),
            model,
            PredictOptions(tile_px=tile_px),
            Control(should_stop=lambda: len(seen) >= 3),
        )
    assert len(seen) == 3


def test_slices_that_are_at_work_together_stop_together(monkeypatch):
    monkeypatch.setattr(crew, "usable_cpus", lambda: 2)
    model, seen = counted_model()
    with pytest.raises(Stopped):
        predict(sagittal_scan(spine_like(25)), model, control=Control(should_stop=lambda: len(seen) >= 3))
    assert len(seen) <= 4


@pytest.mark.parametrize("options", [{}, {"uncertainty": True}, {"tile_px": 64, "mirror": True}])
def test_several_slices_at_a_time_give_what_one_at_a_time_gives(options, monkeypatch):
    scan, (model, _) = sagittal_scan(spine_like(25)), counted_model()
    results = []
    for cpus in (1, 4):
        monkeypatch.setattr(crew, "usable_cpus", lambda cpus=cpus: cpus)
        results.append(predict(scan, model, PredictOptions(**options)))
    one, other = results
    np.testing.assert_array_equal(one.structures, other.structures)
    assert (one.uncertainty is None) == (other.uncertainty is None)
    if one.uncertainty is not None:
        np.testing.assert_array_equal(one.uncertainty, other.uncertainty)


def test_progress_grows_to_one():
    for volume in (spine_like(25), np.zeros((3, 20, 20), np.uint8)):
        seen = []
        predict(sagittal_scan(volume), threshold_model(), control=Control(seen.append))
        fractions = [progress.fraction for progress in seen]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1
        assert max(fractions[:-1]) < 1
        assert {progress.stage for progress in seen} == {"Segmenting"}


@pytest.mark.parametrize("value", [0, 7, -3.5, np.nan])
def test_a_constant_scan_holds_nothing(value, threshold):
    scan = sagittal_scan(np.full((3, 20, 30), value, np.float32))
    prediction = predict(scan, threshold, PredictOptions(uncertainty=True))
    assert not prediction.structures.any()
    assert not prediction.uncertainty.any()
    assert any("not numbers" in w for w in prediction.warnings) == bool(np.isnan(value))


@pytest.mark.parametrize("shape", [(1, 40, 32), (1, 1, 1), (3, 4, 5), (2, 1, 50), (40, 2, 2), (1, 300, 7)])
@pytest.mark.parametrize("spec", [{}, {"size_px": (32, 48), "neighbours": 0, "normalise": "minmax"}])
def test_every_shape_comes_back_as_it_went_in(shape, spec):
    volume = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    prediction = predict(sagittal_scan(volume), threshold_model(**spec), PredictOptions(uncertainty=True))
    assert prediction.structures.shape == prediction.uncertainty.shape == shape
    assert np.isfinite(prediction.uncertainty).all()


@pytest.mark.parametrize("spacing", [(4, 0.5, 0.5), (4, 2, 2), (4, 0.7, 1.3), (0.3, 1, 1), (12, 1, 1)])
def test_structures_stay_where_they_are_at_any_spacing(spacing):
    across = max(3, round(36 / spacing[0]))
    mm = [
        np.arange(n) * s
        for n, s in zip((across, round(90 / spacing[1]), round(70 / spacing[2])), spacing, strict=True)
    ]
    x, y, z = np.meshgrid(*mm, indexing="ij")
    inside = (abs(x - 18) < 9) & (abs(y - 45) < 25) & (abs(z - 35) < 8)
    inside |= (y < 8) & (z < 8)  # in every slice, so that all are scaled alike
    model, _ = counted_model()
    found = predict(sagittal_scan(50 * inside.astype(np.float32), spacing), model).structures > 0
    overlap = 2 * (found & inside).sum() / (found.sum() + inside.sum())
    assert overlap > 0.9


def test_networks_for_squeezed_slices_run_through_the_same_code():
    torch.manual_seed(0)
    spec = InputSpec(size_px=(64, 64), neighbours=0, stride=16, normalise="minmax")
    card = ModelCard(name="unet", network="modified_unet", input=spec)
    scan = sagittal_scan(blocks((2, 100, 60)))
    prediction = predict(scan, LoadedModel(ModifiedUNet().eval(), card), PredictOptions(uncertainty=True))
    assert prediction.structures.shape == (2, 100, 60)
    assert 0 < prediction.uncertainty.astype(float).mean() < 1


def test_a_previewed_slice_is_the_slice_of_the_whole(threshold):
    scan = turned(sagittal_scan(blocks()), ("A", "L", "S"))
    turn = scan.grid.to_orientation()
    whole = turn.apply(predict(scan, threshold).structures)
    for index in range(6):
        np.testing.assert_array_equal(predict_slice(scan, threshold, index), whole[index])
    with pytest.raises(IndexError, match="0 to 5, not 6"):
        predict_slice(scan, threshold, 6)


def test_uncertainty_is_where_the_border_is(threshold):
    volume = blocks()
    prediction = predict(sagittal_scan(volume), threshold, PredictOptions(uncertainty=True))
    unsure = prediction.uncertainty
    assert unsure.dtype == np.float16
    assert unsure.min() >= 0
    assert unsure.max() <= 1
    assert predict(sagittal_scan(volume), threshold).uncertainty is None


def test_temperature_makes_a_model_less_sure(threshold):
    hot = LoadedModel(threshold.network, threshold.card.model_copy(update={"temperature": 20.0}))
    scan = sagittal_scan(blocks())
    sure, unsure = (predict(scan, model, PredictOptions(uncertainty=True)) for model in (threshold, hot))
    assert unsure.uncertainty.astype(float).mean() > 2 * sure.uncertainty.astype(float).mean()
    np.testing.assert_array_equal(sure.structures, unsure.structures)


class FirstNeighbour(nn.Module):
    """Sees the left neighbour only, so that it answers differently in a mirror."""

    def forward(self, image):
        return torch.stack([torch.zeros_like(image[:, 0]), image[:, 0], image[:, 0] - 9, image[:, 0] - 9], 1)


def test_mirroring_swaps_left_and_right_and_nothing_else():
    card = threshold_model().card
    volume = blocks()
    there = predict(sagittal_scan(volume), LoadedModel(FirstNeighbour(), card), PredictOptions(mirror=True))
    back = predict(
        sagittal_scan(volume[::-1]), LoadedModel(FirstNeighbour(), card), PredictOptions(mirror=True)
    )
    np.testing.assert_array_equal(there.structures, back.structures[::-1])
    once = predict(sagittal_scan(volume), LoadedModel(FirstNeighbour(), card))
    assert (once.structures != there.structures).any()


def test_damaged_weights_are_said_to_be_damaged():
    network = SpineNet(3, 4, (4, 8)).eval()
    with torch.no_grad():
        network.head.bias[0] = float("nan")
    card = ModelCard(name="broken", network="spine_net", input=InputSpec(stride=4))
    with pytest.raises(ModelError, match=r"broken.*damaged"):
        predict(sagittal_scan(blocks()), LoadedModel(network, card))


def test_cards_that_do_not_fit_their_network_are_refused(threshold):
    scan = sagittal_scan(blocks())
    for structures, words in (
        (["background", "vertebra"], "4 outputs.*2 structures"),
        (["background", "tail"], "'tail'"),
    ):
        card = threshold.card.model_copy(update={"structures": structures})
        with pytest.raises(ModelError, match=words):
            predict(scan, LoadedModel(threshold.network, card))


def test_a_missing_device_is_said_in_words(threshold, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="cuda was asked for"):
        predict(sagittal_scan(blocks()), threshold, PredictOptions(device="cuda"))


def test_memory_that_runs_out_costs_a_warning_not_the_result(threshold):
    class Tight(Threshold):
        def forward(self, image):
            if image.shape[2] * image.shape[3] > 128 * 128:
                raise torch.OutOfMemoryError("out of memory")
            return super().forward(image)

    scan = sagittal_scan(spine_like(5, 256))
    options = PredictOptions(crop=False)
    expected = predict(scan, threshold, options)
    prediction = predict(scan, LoadedModel(Tight(), threshold.card), options)
    np.testing.assert_array_equal(prediction.structures, expected.structures)
    assert any("Memory" in w for w in prediction.warnings)


def test_seconds_are_told_for_every_stage(threshold):
    prediction = predict(sagittal_scan(blocks()), threshold)
    assert {"ready the network", "prepare", "network", "resample back"} <= prediction.seconds.keys()
    assert all(seconds >= 0 for seconds in prediction.seconds.values())
    assert prediction.device == "cpu"
    assert prediction.precision in ("fp32", "bf16")


def test_gradients_are_not_kept_and_training_is_not_disturbed():
    network = SpineNet(3, 4, (4, 8)).eval()
    card = ModelCard(name="x", network="spine_net", input=InputSpec(stride=4, spacing_mm=1))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    predict(sagittal_scan(blocks()), LoadedModel(network, card))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    network(torch.randn(1, 3, 8, 8)).sum().backward()


@pytest.mark.parametrize(("width", "precision"), [(4, "fp32"), (12, "bf16")])
def test_a_slice_of_one_column_at_the_coarsest_scale_is_not_computed_in_bfloat16(
    width, precision, monkeypatch
):
    """There, a processor's bfloat16 convolutions may read memory that nobody wrote."""
    monkeypatch.setattr(device, "bf16_pays", lambda: True)
    torch.manual_seed(0)
    spec = InputSpec(spacing_mm=1, stride=4, neighbour_mm=1)
    network = SpineNet(3, 4, (4, 8)).eval()
    for parameter in network.parameters():
        parameter.data.mul_(0)  # Both precisions agree
    model = LoadedModel(network, ModelCard(name="tiny", network="spine_net", input=spec))
    scan = Scan(np.random.default_rng(0).integers(0, 99, (40, width, 40)).astype(np.int16), np.eye(4))
    assert predict(scan, model, PredictOptions(device="cpu")).precision == precision


def test_nothing_of_a_scan_is_held_once_it_is_predicted(threshold, monkeypatch):
    held = []

    class Slices(predict_module.SagittalSlices):
        def __init__(self, *args):
            super().__init__(*args)
            held.append(weakref.ref(self))

    monkeypatch.setattr(predict_module, "SagittalSlices", Slices)
    gc.disable()  # or it might find what holds itself
    try:
        predict(sagittal_scan(blocks()), threshold)
        assert [each() for each in held] == [None]
    finally:
        gc.enable()
