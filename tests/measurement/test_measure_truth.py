"""Figures against what was drawn: with rulers, and as phantoms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from napari_spineseg.measurement import measure
from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom
from napari_spineseg.synthesis.ruled import RuledLevel, draw_ruled, rule_spine


def of_body(block) -> dict[str, float]:
    slant = block.depth * np.tan(np.radians(block.wedge / 2))
    return {
        "body_height_anterior": block.height + slant,
        "body_height_middle": block.height,
        "body_height_posterior": block.height - slant,
        "body_depth": block.depth,
        "wedge_ratio": (block.height + slant) / (block.height - slant),
        "biconcavity_ratio": block.height / (block.height - slant),
    }


def of_disc(block) -> dict[str, float]:
    slant = 2 / 3 * block.depth * np.tan(np.radians(block.wedge / 2))
    return {
        "disc_height_anterior": block.height + slant,
        "disc_height_middle": block.height,
        "disc_height_posterior": block.height - slant,
        "disc_height_mean": block.height,
        "disc_depth": block.depth,
    }


# Which heights a ratio is of: where those are right to so and so much, it is right as well.
RATIOS = {"wedge_ratio": "anterior", "biconcavity_ratio": "middle"}


def check(found, truth: dict[str, float], within: float) -> None:
    for key, value in truth.items():
        assert found[key].value is not None, found[key].reason
        near = within
        if key in RATIOS:
            above, below = (found[f"body_height_{at}"].value for at in (RATIOS[key], "posterior"))
            value, near = above / below, 1e-9
        assert found[key].value == pytest.approx(value, abs=near), key


def test_heights_and_depths_of_a_lordotic_spine(lordotic):
    spine, _, found = lordotic
    for n, (disc, body) in enumerate(zip(spine.discs, spine.bodies, strict=True)):
        check(found.of(found.levels[2 * n + 1]), of_body(body), 0.35)
        check(found.of(found.levels[2 * n]), of_disc(disc), 0.45)


def test_angles_of_a_lordotic_spine(lordotic):
    spine, _, found = lordotic
    for n, disc in enumerate(spine.discs[1:], 1):
        assert found.of(found.levels[2 * n])["disc_angle"].value == pytest.approx(disc.wedge, abs=0.6)
    between = sum(b.wedge for b in spine.bodies) + sum(d.wedge for d in spine.discs[1:])
    assert found.of("spine")["lordosis"].value == pytest.approx(between, abs=0.8)
    assert found.of("spine")["coronal_cobb"].value < 1.5
    assert "straight" in found.of("spine")["coronal_cobb"].caution


def test_volumes_are_voxels(lordotic):
    _, drawn, found = lordotic
    for label, voxels in drawn.found().items():
        if label != 100:
            (figure,) = (f for f in found.figures if f.label == label and f.key.endswith("_volume"))
            assert figure.value == pytest.approx(voxels * 4 * 0.49 / 1000)


def test_height_index_is_of_the_heights_beside_it(lordotic):
    spine, _, found = lordotic
    index = found.of("L3/L4")["disc_height_index"]
    assert index.value == pytest.approx(100 * spine.discs[2].height / 27, abs=1.5) and not index.caution
    lowest = found.of("L5/S1")["disc_height_index"]
    assert lowest.value == pytest.approx(100 / 3, abs=1.5) and "sacrum" in lowest.caution


@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    height=st.floats(18, 32),
    wedge=st.floats(-8, 12),
    depth=st.floats(26, 40),
    disc=st.floats(5, 13),
    angle=st.floats(-4, 12),
    slip=st.floats(-8, 8),
    tilt=st.floats(-35, 25),
    spacing=st.sampled_from([(4.0, 0.9, 0.9), (3.3, 0.6, 0.5), (1.5, 1.0, 1.0)]),
)
def test_whatever_is_drawn_is_measured(height, wedge, depth, disc, angle, slip, tilt, spacing):
    turn = Rotation.from_euler("x", tilt, degrees=True).as_matrix()
    levels = [
        RuledLevel(depth=depth),
        RuledLevel(height, depth, wedge=wedge, disc_height=disc, disc_wedge=angle, slip=slip),
    ]
    spine = rule_spine(levels, turn)
    found = measure(draw_ruled(spine, spacing))
    # An edge along the rows is known to half a row at best, and a height has two: a row between them.
    near = 0.1 + spacing[1]
    check(found.of("L4"), of_body(spine.bodies[1]), near)
    pair = found.of("L4/L5")
    check(pair, of_disc(spine.discs[1]), near)
    assert pair["slip"].value == pytest.approx(spine.slip(1), abs=near + 0.1)
    share = 100 * spine.slip(1) / depth
    assert pair["slip_share"].value == pytest.approx(share, abs=100 * (near + 0.2) / depth)
    # An edge nearly along the rows is a flight of steps: its slope is known to a row over its length.
    assert pair["disc_angle"].value == pytest.approx(angle, abs=np.degrees(2 * spacing[1] / depth))


@pytest.mark.parametrize("tilt", [-62, 62])
def test_a_body_that_leans_far_has_its_canal_beside_it(tilt):
    """Square to its canal that is: in the rows of the scan it lies three centimetres higher or lower."""
    spine = rule_spine([RuledLevel()] * 2, Rotation.from_euler("x", tilt, degrees=True).as_matrix())
    found = measure(draw_ruled(spine, (4.0, 0.9, 0.9)))
    for level, body in zip(("L5", "L4"), spine.bodies, strict=True):
        check(found.of(level), of_body(body), 0.6)


def test_a_slip_is_positive_forward_and_negative_back():
    for slip in (6.0, -6.0):
        drawn = draw_ruled(rule_spine([RuledLevel(), RuledLevel(slip=slip)]), (4.0, 1.0, 1.0))
        assert measure(drawn).of("L4/L5")["slip"].value == pytest.approx(slip, abs=0.5)


def test_a_height_does_not_jump_from_row_to_row():
    """In steps of a tenth of a millimetre on rows of 0.9 mm, for a body that is a little tilted."""
    turn = Rotation.from_euler("x", 9, degrees=True).as_matrix()
    heights = np.arange(26.0, 27.0, 0.1)
    found = []
    for height in heights:
        drawn = draw_ruled(rule_spine([RuledLevel(height)], turn), (4.0, 0.9, 0.9))
        found.append(measure(drawn).of("L5")["body_height_middle"].value)
    assert np.abs(np.array(found) - heights).max() < 0.15
    assert np.abs(np.diff(found)).max() < 0.25


@pytest.mark.parametrize("spacing", [(4.0, 0.8, 0.8), (1.0, 1.0, 1.0), (0.8, 4.0, 0.8)])
@pytest.mark.parametrize("tilt", [0, 24])
def test_the_canal_is_cut_square_to_itself(spacing, tilt):
    turn = Rotation.from_euler("x", tilt, degrees=True).as_matrix()
    spine = rule_spine([RuledLevel(), RuledLevel()], turn, canal_depth=13.0, canal_width=24.0)
    found = measure(draw_ruled(spine, spacing)).of("L4/L5")
    thick = spacing[0] > 2.5
    assert found["canal_area"].value == pytest.approx(spine.canal_area, rel=0.1 if thick else 0.04)
    assert ("slices" in found["canal_area"].caution) == thick
    # Over a band of four millimetres an ellipse is on average a little less deep than in its middle.
    assert found["canal_depth"].value == pytest.approx(13.0, abs=0.75)


@pytest.mark.parametrize("spacing", [(1.5, 1.0, 1.0), (4.0, 0.9, 0.9)])
@pytest.mark.parametrize("side", [1, -1])
def test_the_coronal_angle_of_a_bend_to_either_side(spacing, side):
    rolls = [0, 6, 8, 4, -3]
    levels = [RuledLevel(roll=side * roll / 2, disc_roll=side * roll / 2) for roll in rolls]
    found = measure(draw_ruled(rule_spine(levels), spacing)).of("spine")["coronal_cobb"]
    # From the lower endplate of L5, or the upper one, to the upper endplate of L2.
    assert found.value == pytest.approx(18, abs=1.0)
    assert ("slices" in found.caution) == (spacing[0] > 2.5)


def test_a_turned_patient_has_the_same_figures():
    levels = [RuledLevel(wedge=5, disc_wedge=8), RuledLevel(disc_wedge=6, slip=4), RuledLevel()]
    upright = measure(draw_ruled(rule_spine(levels), (2.0, 0.9, 0.9)))
    turn = Rotation.from_euler("xyz", [-14, 9, 12], degrees=True).as_matrix()
    turned = measure(draw_ruled(rule_spine(levels, turn), (2.0, 0.9, 0.9)))
    for a, b in zip(upright.figures, turned.figures, strict=True):
        if a.value is not None and a.key != "coronal_cobb":
            near = {"canal_area": 16, "slip_share": 2.5, "disc_height_index": 2.5, "disc_angle": 1.5}
            near["vertebra_volume"] = 2.5
            assert b.value == pytest.approx(a.value, abs=near.get(a.key, 0.9)), (a.level, a.key)


def corners(level) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower and upper posterior corner of a phantom's body, and the way forward along its upper endplate."""
    half, back = level.height / 2, -level.depth / 2
    slant = np.tan(np.radians(level.wedge / 2))
    rim = [half + v * slant for v in (back, -back)]
    upper = level.frame.world((0, back, rim[0]))
    along = level.frame.world((0, -back, rim[1])) - upper
    return level.frame.world((0, back, -rim[0])), upper, along / np.linalg.norm(along)


@pytest.mark.parametrize(
    ("lumbar", "slip", "seed"), [(5, 8.0, 1), (4, -6.0, 2), (6, 0.0, 3)], ids=["forward", "back", "none"]
)
def test_the_slip_of_a_phantom(lumbar, slip, seed):
    from napari_spineseg.synthesis.phantom.spine import draw_spine

    chosen = PhantomSettings(
        seed=seed,
        lumbar_levels=lumbar,
        slip_mm=slip,
        spacing_mm=(4, 0.9, 0.9),
        field_of_view_mm=(44, 250, 240),
    )
    _, drawn = make_phantom(chosen)
    found = measure(drawn)
    bones = draw_spine(chosen, np.random.default_rng([seed, 1])).vertebrae
    level = drawn.numbering.disc(chosen.slip_disc)
    truth = (corners(bones[1])[0] - corners(bones[0])[1]) @ corners(bones[0])[2]
    # Its outlines are bent by a millimetre, so that no edge is ruled.
    assert found.of(level)["slip"].value == pytest.approx(truth, abs=1.8)
    # Lordosis is that of all the lumbar vertebrae that this person has.
    assert found.of("spine")["lordosis"].value is not None
    assert drawn.numbering.vertebra(lumbar) == "L1"


def test_the_scoliosis_of_a_phantom():
    chosen = PhantomSettings(seed=4, scoliosis_deg=35, spacing_mm=(3, 1, 1), field_of_view_mm=(84, 270, 240))
    found = measure(make_phantom(chosen)[1]).of("spine")["coronal_cobb"]
    assert found.value == pytest.approx(35, abs=7)
