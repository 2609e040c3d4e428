"""From structures to levels: the one call that other rooms use."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL, FIRST_DISC_LABEL, Numbering, Structure
from napari_spineseg.grid import Box
from napari_spineseg.instances.blocks import Blocks, to_blocks
from napari_spineseg.instances.cleanup import fill_holes, keep_bone, keep_canal
from napari_spineseg.instances.column import Column, Coordinates, trace_column
from napari_spineseg.instances.numbering import Alternative, Decision, Level, decide
from napari_spineseg.instances.profile import Segment, read_column, signals
from napari_spineseg.instances.split import (
    assign_discs,
    bands,
    fit_cuts,
    flood,
    posterior_border,
    settle_discs,
)

# Less bone and disc than this is no spine, ml.
_LEAST_SPINE_ML = 1.5
# Within this of a cut, mm, a posterior voxel is unsure; a voxel of the body only right at the cut.
_UNSURE_BEHIND, _UNSURE_BODY, _BODY_BACK = 10.0, 1.0, 15.0
# What lies this far behind the centre line, mm, is behind the canal's middle.
_CANAL_BACK = 24.0
# Discs count up from here as long as labels are uint8.
_DISC_CODE = 100


@dataclass(frozen=True, eq=False)
class LevelResult:
    """Instances and their levels.

    Attributes
    ----------
    levels
        uint16, the shape that came in, `levels` scheme.
    numbering
        What the numbers are called.
    warnings
        What a person should know about the numbering.
    alternatives
        Other numberings that the picture allows, likeliest first.
    """

    levels: np.ndarray
    numbering: Numbering = Numbering()
    warnings: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, eq=False)
class _Part:
    """The blocks of one structure: a (slices, rows, columns) mask, and of its n set blocks in array order
    their index arrays, their coordinates and how many voxels each holds."""

    mask: np.ndarray
    voxels: tuple[np.ndarray, ...]
    where: Coordinates
    amount: np.ndarray


def label_levels(structures: np.ndarray, spacing: tuple[float, float, float]) -> LevelResult:
    """Give every vertebra and disc its own number, counted upward from the lumbosacral junction.

    Parameters
    ----------
    structures
        (slices, rows, columns) of the `structures` scheme in sagittal orientation: slices to the
        right, rows down, columns to the back. Tumours are ignored.
    spacing
        mm along the same axes.

    Returns
    -------
    LevelResult
        Voxels that are not part of one spine (islands, bits of the sacrum) are 0 in its levels;
        holes in a vertebra or disc are closed. Without a spine nothing is labelled.
    """
    levels = np.zeros(structures.shape, np.uint16)
    box = _box(structures)
    if box is None:
        return LevelResult(levels)
    inner = np.ascontiguousarray(structures[box])
    blocks = to_blocks(inner, spacing)
    kept = keep_canal(blocks.canal > 0, blocks.spacing)
    blocks = replace(blocks, canal=np.where(kept, blocks.canal, 0))
    read = _read(blocks)
    if read is None:
        return LevelResult(levels)
    bone, disc, segments = read
    room = (structures.shape[1] - box[1].stop) * spacing[1]
    bone_number, disc_number, decision = _label_blocks(blocks, bone, disc, segments, room)
    small = _paint(inner, blocks, (bone, bone_number), (disc, disc_number))
    fill_holes(small, spacing)
    levels[box] = _to_levels(small)
    return LevelResult(levels, Numbering(), decision.warnings, decision.alternatives)


def _box(structures: np.ndarray) -> Box | None:
    """The smallest box around everything that is painted."""
    used = structures > 0
    plane = used.any(0)
    spans = [np.flatnonzero(v) for v in (used.any((1, 2)), plane.any(1), plane.any(0))]
    if not len(spans[0]):
        return None
    return tuple(slice(int(s[0]), int(s[-1]) + 1) for s in spans)


def _read(blocks: Blocks) -> tuple[_Part, _Part, list[Segment]] | None:
    """Bone, disc, and the column read from the top down; None where there is none."""
    amount = int(blocks.bone.sum(dtype=np.int64) + blocks.disc.sum(dtype=np.int64))
    column = trace_column(blocks) if amount * blocks.voxel_ml >= _LEAST_SPINE_ML else None
    if column is None:
        return None
    bone, disc = _part(blocks.bone, column), _part(blocks.disc, column)
    segments = read_column(*signals((bone.where, bone.amount), (disc.where, disc.amount), len(column.points)))
    if not segments:
        return None
    if segments[0].is_disc:
        # Above every disc there is a vertebra, if only its posterior elements are in view.
        segments.insert(0, Segment(False, segments[0].start, segments[0].start, 0.0))
    return bone, disc, segments


def _part(counts: np.ndarray, column: Column) -> _Part:
    mask = counts > 0
    voxels = np.nonzero(mask)
    return _Part(mask, voxels, column.coordinates(voxels), counts[mask])


def _label_blocks(
    blocks: Blocks, bone: _Part, disc: _Part, segments: list[Segment], room: float
) -> tuple[np.ndarray, np.ndarray, Decision]:
    """Numbers (n,) of bone blocks and of disc blocks, 0 for what is left out, and what was decided.

    `room` is what the scan shows below the lowest block, mm.
    """
    owner = assign_discs(segments, disc.where)
    cuts = fit_cuts(segments, owner, disc.where, disc.amount)
    disc_rank = settle_discs(disc.mask, cuts, disc.where) if cuts else owner
    border = posterior_border(bone.where)
    below, clear = bands(cuts, bone.where, border)
    kept = keep_bone(bone.mask, bone.where, bone.amount, blocks.voxel_ml)
    total = len(segments) - len(cuts)
    decision = decide(_describe(blocks, bone, disc, segments, np.where(kept, below, -1), disc_rank, room))
    count = total - decision.left_out
    if len(cuts) >= count:
        # What hangs behind the lumbosacral disc belongs to the vertebra above it.
        cuts = [*cuts[: count - 1], replace(cuts[count - 1], lowest=True)]
        below, clear = bands(cuts, bone.where, border)
    sure = clear > np.where(bone.where.behind < _BODY_BACK, _UNSURE_BODY, _UNSURE_BEHIND)
    below = flood(bone.mask, blocks.bone * 2 > blocks.full, below, sure, blocks.spacing)
    bone_number = np.where(kept & (below < count), count - below, 0)
    return bone_number, np.where((disc_rank >= 0) & (disc_rank < count), count - disc_rank, 0), decision


def _describe(
    blocks: Blocks,
    bone: _Part,
    disc: _Part,
    segments: list[Segment],
    bone_rank: np.ndarray,
    disc_rank: np.ndarray,
    room: float,
) -> list[Level]:
    """What numbering needs to know of each vertebra, from the top down."""
    out = []
    height = blocks.bone.shape[1]
    body_rows = np.where(bone.where.behind < _BODY_BACK, bone.voxels[1], 0)
    for rank, body in enumerate(segment for segment in segments if not segment.is_disc):
        mine, under = np.flatnonzero(bone_rank == rank), np.flatnonzero(disc_rank == rank)
        lowest = max(int(body_rows[mine].max(initial=0)), int(disc.voxels[1][under].max(initial=0)))
        out.append(
            Level(
                body.height,
                body.evidence,
                float(bone.amount[mine].sum()) * blocks.voxel_ml,
                float(bone.amount[mine][bone.where.behind[mine] > _CANAL_BACK].sum()) * blocks.voxel_ml,
                float(disc.amount[under].sum()) * blocks.voxel_ml,
                _slope(disc, under, blocks.spacing),
                room + (height - 1 - lowest) * blocks.spacing[1],
            )
        )
    return out


def _slope(disc: _Part, under: np.ndarray, spacing: tuple[float, float, float]) -> float | None:
    """Slope of a disc in the sagittal plane of the scan, degrees, front end lower = negative."""
    core = under[np.abs(disc.where.beside[under]) < 12]
    if len(core) < 20:
        return None
    points = np.stack([disc.voxels[1][core] * spacing[1], disc.voxels[2][core] * spacing[2]])
    axis = np.linalg.eigh(np.cov(points, aweights=disc.amount[core]))[1][:, 1]
    angle = np.degrees(np.arctan2(axis[0], axis[1]))
    return float((angle + 90) % 180 - 90)


def _paint(
    inner: np.ndarray, blocks: Blocks, bone: tuple[_Part, np.ndarray], disc: tuple[_Part, np.ndarray]
) -> np.ndarray:
    """Block numbers on the voxels: vertebra n is n, the canal 100, disc n 100 + n. uint8."""
    out = np.zeros(inner.shape, np.uint8)
    for structure, (part, numbers), first in (
        (Structure.VERTEBRA, bone, 0),
        (Structure.DISC, disc, _DISC_CODE),
    ):
        table = np.zeros(part.mask.shape, np.uint8)
        table[part.mask] = np.where(numbers > 0, numbers + first, 0)
        np.copyto(out, blocks.spread(table, inner.shape), where=inner == structure)
    canal = blocks.spread(blocks.canal > 0, inner.shape)
    out[canal & (inner == Structure.CANAL)] = CANAL_LABEL
    return out


def _to_levels(codes: np.ndarray) -> np.ndarray:
    """Codes of `_paint` to the `levels` scheme, uint16."""
    levels = codes.astype(np.uint16)
    levels[codes > CANAL_LABEL] += FIRST_DISC_LABEL - 1 - _DISC_CODE
    return levels
