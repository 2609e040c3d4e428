import pytest

from napari_spineseg.io.sequence import guess_sequence


@pytest.mark.parametrize(
    ("echo", "repetition", "inversion", "expected"),
    [
        (10, 550, None, "T1"),
        (102, 3500, None, "T2"),
        (60, 4000, 160, "STIR"),
        (9, 2000, 860, "T1"),
        (40, 2000, None, "unknown"),
        (None, None, None, "unknown"),
        ("nonsense", 500, None, "unknown"),
    ],
)
def test_times(echo, repetition, inversion, expected):
    header = {"EchoTime": echo, "RepetitionTime": repetition, "InversionTime": inversion}
    assert guess_sequence({k: v for k, v in header.items() if v is not None}) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("12_t2_SPACE", "T2"), ("4_t1", "T1"), ("T2w_tse_sag", "T2"), ("sub-1_T1w", "T1"),
        ("sag STIR", "STIR"),
        ("TIRM_sag", "STIR"), ("t2_fs", "STIR"), ("patient12", "unknown"),
        ("at12", "unknown"), ("case", "unknown"),
    ],
)  # fmt: skip
def test_words(name, expected):
    assert guess_sequence({}, name) == expected
    assert guess_sequence({"SeriesDescription": name}, "scan") == expected


def test_header_goes_before_name():
    assert guess_sequence({"EchoTime": 100.0, "RepetitionTime": 4000.0}, "x_t1") == "T2"
    assert guess_sequence({"spineseg": {"kind": "scan", "sequence": "STIR"}}, "x_t1") == "STIR"
