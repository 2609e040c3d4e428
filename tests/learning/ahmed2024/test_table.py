from napari_spineseg.learning.ahmed2024.table import PUBLISHED, as_markdown

FIGURES = dict(
    iou=0.9, dice=0.95, asd=0.5, assd=0.5, nsd=0.98, precision=0.96, recall=0.94, f1=0.95, hd95=1.0
)


def result(fold, dice, protocol="slices", network="published"):
    means = {"disc": FIGURES | {"dice": dice}}
    return {
        "protocol": protocol,
        "network": network,
        "fold": fold,
        "slices": {"train": 90, "choose": 10, "test": 10},
        "patients": {"train": 8, "choose": 5, "test": 5},
        "test_with_neighbour_in_training": 9,
        "training": {"steps": 40, "epochs": 4, "seconds": 120, "chosen_epoch": 3, "chosen_mean_iou": 0.9},
        "settings": {"seed": 2, "batch": 8},
        "published_grid": means,
        "own_grid": means,
        "stacked": {"disc": {"asd_px": 0.03, "nsd": 0.999}},
    }


def rows(text, *words):
    return [line for line in text.splitlines() if line.startswith("|") and all(w in line for w in words)]


def test_the_printed_figures_stand_beside_ours():
    text = as_markdown([result(0, 0.96)])
    (printed,) = rows(text, "printed, T2 SPACE", "disc")
    assert "0.9688" in printed and "0.0288" in printed and "0.9994" in printed
    assert all("0.9600" in row for row in rows(text, "modified U-Net, here", "disc", "× ")[:2])
    assert "9 of the 10 have a neighbour" in text


def test_the_stacked_variant_has_a_row_of_its_own():
    (stacked,) = rows(as_markdown([result(0, 0.96)]), "stacked as published (pixels)")
    assert "0.0300" in stacked and "0.9990" in stacked
    assert "0.5000" not in stacked and "0.9600" not in stacked


def test_folds_have_mean_and_deviation():
    text = as_markdown([result(0, 0.90), result(1, 0.94)])
    assert "0.9200 ± 0.0283" in text
    assert "0.5000 ± 0.0000" in text


def test_protocols_are_never_mixed():
    text = as_markdown([result(0, 0.97), result(0, 0.88, "patients", "default")])
    slices, patients = text.split("### Protocol patients")
    assert "0.9700" in slices and "0.8800" not in slices
    assert "0.8800" in patients and "0.9688" not in patients
    assert "an independent run" in patients and "also choose" not in patients


def test_every_sequence_has_its_printed_dice():
    assert {s: {k: v["dice"] for k, v in t.items()} for s, t in PUBLISHED.items()} == {
        "T2 SPACE": {"disc": 0.9688, "vertebra": 0.9712, "spinal canal": 0.9671},
        "T1": {"disc": 0.9592, "vertebra": 0.9634, "spinal canal": 0.9628},
        "T2": {"disc": 0.9527, "vertebra": 0.9647, "spinal canal": 0.9625},
    }
