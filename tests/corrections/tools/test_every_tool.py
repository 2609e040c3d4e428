"""What holds for all tools: they change nothing themselves, undo exactly, and spare what is protected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spineseg.corrections import tools
from napari_spineseg.corrections.confine import Confine, Rule

SPACING = (2.5, 1.0, 0.8)


def blobs(seed: int, shape=(7, 30, 28)) -> np.ndarray:
    """Smooth random structures of several kinds that touch and leave holes."""
    from scipy import ndimage

    noise = np.random.default_rng(seed).normal(size=(4, *shape))
    soft = np.stack([ndimage.gaussian_filter(n, (0.7, 3, 3)) for n in noise])
    labels = np.array([1, 2, 100, 202], np.uint16)[soft.argmax(0)]
    labels[soft.max(0) < np.quantile(soft.max(0), 0.5)] = 0
    return labels


def image_of(labels: np.ndarray) -> np.ndarray:
    return (labels % 7 * 40 + np.random.default_rng(0).normal(0, 5, labels.shape)).astype(np.float32)


# Tools that take a rule and grow over background only unless told otherwise.
GROWING = {
    "fill_between": lambda v: tools.fill_between(v, 2, SPACING),
    "grow": lambda v: tools.grow(v, 2, 1.7, SPACING),
    "smooth": lambda v: tools.smooth(v, 2, 1.5, SPACING),
    "fill_holes": lambda v: tools.fill_holes(v, 2),
    "fill_holes in slices": lambda v: tools.fill_holes(v, 2, axis=0),
    "snap_to_edge": lambda v: tools.snap_to_edge(v, image_of(v), 2, SPACING, 2.0),
    "copy_from_slice": lambda v: tools.copy_from_slice(v, 3, 2, label=2),
    "copy whole slice": lambda v: tools.copy_from_slice(v, 3, 4),
}
SHRINKING = {
    "shrink": lambda v: tools.shrink(v, 2, 1.7, SPACING),
    "keep_largest": lambda v: tools.keep_largest(v, 2, SPACING),
    "erase_islands": lambda v: tools.erase_islands(v, SPACING, 0.05),
    "erase_structure": lambda v: tools.erase_structure(v, 2, SPACING),
    "erase_structure on a slice": lambda v: tools.erase_structure(v, 2, SPACING, (1, 4)),
}
RENUMBERING = {
    "merge": lambda v: tools.merge(v, 1, 2),
    "relabel_column": lambda v: tools.relabel_column(v, 1, "L4"),
}
EVERY = GROWING | SHRINKING | RENUMBERING


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_a_tool_leaves_its_input_alone_and_undoes_exactly(name, seed):
    labels = blobs(seed)
    original = labels.copy()
    edit = EVERY[name](labels)
    assert np.array_equal(labels, original)
    assert edit.words
    undo = edit.apply(labels)
    assert np.count_nonzero(labels != original) == len(edit)
    undo.apply(labels)
    assert np.array_equal(labels, original)


@pytest.mark.parametrize("name", GROWING)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_no_tool_overwrites_another_structure(name, seed):
    labels = blobs(seed)
    after = labels.copy()
    GROWING[name](after).apply(after)
    others = (labels != 0) & (labels != 2)
    assert np.array_equal(after[others], labels[others])


@pytest.mark.parametrize("name", SHRINKING)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_shrinking_tools_only_erase(name, seed):
    labels = blobs(seed)
    after = labels.copy()
    SHRINKING[name](after).apply(after)
    assert set(after[after != labels].tolist()) <= {0}


@pytest.mark.parametrize("name", EVERY)
def test_an_empty_volume_is_no_trouble(name):
    labels = np.zeros((6, 12, 12), np.uint16)
    edit = EVERY[name](labels)
    assert len(edit) == 0 and edit.words and edit.box is None


@pytest.mark.parametrize("name", EVERY)
def test_a_structure_that_fills_the_scan_is_no_trouble(name):
    labels = np.full((6, 12, 12), 2, np.uint16)
    after = labels.copy()
    EVERY[name](labels).apply(after)
    assert after.shape == labels.shape


@pytest.mark.parametrize("confine", Confine)
def test_a_rule_is_kept_by_growing(confine):
    labels = blobs(3)
    after = labels.copy()
    rule = Rule(confine, inside=1)
    tools.grow(labels, 2, 2.0, SPACING, rule=rule).apply(after)
    taken = set(labels[after != labels].tolist())
    allowed = {
        Confine.BACKGROUND: {0},
        Confine.STRUCTURE: {0, 1},  # another vertebra, but no disc and no canal
        Confine.INSIDE: {1},
        Confine.ANYWHERE: {0, 1, 100, 202},
    }[confine]
    assert taken == allowed
