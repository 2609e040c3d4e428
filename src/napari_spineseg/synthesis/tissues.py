"""From a SPIDER label volume to a map of tissues: what surrounds the labels, made plausible.

SPIDER's masks name vertebrae, discs and canal and nothing else. A network that is to work on
whole volumes must know what lies beside them, so this room paints it: cortical bone and
endplates, nucleus and annulus, cord and roots, epidural and foraminal fat, sacrum, vessels,
muscle with its streaks, bowel, subcutaneous fat, air. Places come from the labels themselves
(the canal, the posterior wall, the reach of the spinous processes), shapes from random fields.

Arrays are in sagittal orientation, (slices, height, width): rows downward, columns to the back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import edt
import numpy as np
import torch

from napari_spineseg.anatomy import FIRST_DISC_LABEL, Structure, levels_to_structures
from napari_spineseg.synthesis.landmarks import Landmarks, coordinates, find_landmarks
from napari_spineseg.synthesis.noise import smooth_noise


class Tissue(IntEnum):
    """What is painted. `contrast` gives each a grey value."""

    AIR = 0
    SUBCUTANEOUS_FAT = 1
    MUSCLE = 2
    VISCERAL_FAT = 3
    BOWEL = 4
    ORGAN = 5
    VESSEL = 6
    MARROW = 7
    CORTEX = 8
    NUCLEUS = 9
    ANNULUS = 10
    CSF = 11
    CORD = 12
    EPIDURAL_FAT = 13
    LIGAMENT = 14
    SACRUM = 15
    ARCH_MARROW = 16
    LESION = 17
    FASCIA = 18


def paint_tissues(levels: np.ndarray, spacing: tuple[float, float, float], seed: int) -> np.ndarray:
    """Tissue map of a `levels` label volume.

    Parameters
    ----------
    levels
        (slices, height, width), SPIDER numbers, with at least a canal.
    spacing
        mm along (slices, rows, columns).
    seed
        The same seed paints the same surroundings.

    Returns
    -------
    (slices, height, width) uint8 of `Tissue`.
    """
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    structures = levels_to_structures(levels)
    marks = find_landmarks(structures, spacing)
    x, y, z = coordinates(levels.shape, spacing, marks)
    paint = _Painter(structures, levels, spacing, marks, x, y, z, generator, rng)
    tissues = paint.surroundings()
    paint.psoas(tissues)
    paint.vessels(tissues)
    paint.sacrum(tissues)
    paint.neural_arch_gaps(tissues)
    paint.labelled(tissues)
    return tissues


@dataclass(eq=False)
class _Painter:
    structures: np.ndarray
    levels: np.ndarray
    spacing: tuple[float, float, float]
    marks: Landmarks
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    generator: torch.Generator
    rng: np.random.Generator

    def noise(self, *scale_mm: float) -> np.ndarray:
        return smooth_noise(self.structures.shape, self.spacing, scale_mm, self.generator).numpy()

    def row(self, curve: np.ndarray) -> np.ndarray:
        return curve[None, :, None].astype(np.float32)

    def surroundings(self) -> np.ndarray:
        """Abdomen in front, muscle behind, fat under the skin, air."""
        abdomen = self.noise(25, 22, 18)
        tissues = np.full(self.structures.shape, Tissue.VISCERAL_FAT, np.uint8)
        tissues[abdomen > self.rng.uniform(0.0, 0.9)] = Tissue.BOWEL
        tissues[abdomen < -self.rng.uniform(0.2, 1.2)] = Tissue.ORGAN
        tissues[self.noise(15, 12, 12) > self.rng.uniform(2.0, 3.0)] = Tissue.AIR
        behind = self.z > self.row(self.marks.wall)
        streaks = self.noise(8, 30, 4) > self.rng.uniform(0.8, 2.2)
        midline = np.abs(self.x) < self.rng.uniform(3, 6)
        muscle = np.where(streaks, Tissue.EPIDURAL_FAT, Tissue.MUSCLE)
        between = np.where(
            self.noise(8, 8, 8) > self.rng.uniform(-0.8, 0.5), Tissue.EPIDURAL_FAT, Tissue.LIGAMENT
        )
        np.copyto(tissues, np.where(midline, between, muscle).astype(np.uint8), where=behind)
        wobble = self.noise(60, 50, 500)
        fascia = (
            self.row(self.marks.tips)
            + self.rng.uniform(2, 14)
            + 2 * wobble
            - 0.06 * np.maximum(np.abs(self.x) - 40, 0)
        )
        skin = fascia + self.rng.uniform(6, 40) + 4 * self.noise(80, 80, 500)
        tissues[self.z > fascia - 1.5] = Tissue.FASCIA
        tissues[self.z > fascia] = Tissue.SUBCUTANEOUS_FAT
        tissues[self.z > skin] = Tissue.AIR
        return tissues

    def psoas(self, tissues: np.ndarray) -> None:
        """The muscles beside the bodies, widening downward."""
        share = np.clip((self.y - self.y.mean()) / 120 + 0.6, 0.1, 1.1)
        middle = self.row(0.45 * self.marks.front + 0.55 * self.marks.wall)
        across = (np.abs(self.x) - 34) / (14 * share)
        along = (self.z - middle) / (20 * share)
        inside = across**2 + along**2 + 0.2 * self.noise(10, 20, 10) < 1
        tissues[inside] = Tissue.MUSCLE

    def vessels(self, tissues: np.ndarray) -> None:
        """Aorta and vena cava in front of the bodies."""
        for side in (-1, 1):
            place = side * self.rng.uniform(7, 16)
            depth = self.row(self.marks.front) - self.rng.uniform(7, 14)
            radius = self.rng.uniform(6, 11)
            bend = 3 * self.noise(500, 60, 500)
            tissues[(self.x - place - bend) ** 2 + (self.z - depth) ** 2 < radius**2] = Tissue.VESSEL

    def sacrum(self, tissues: np.ndarray) -> None:
        """S1 to S3 below the lowest disc, tapering and turning backward, with the ala beside them."""
        lowest = self.levels == FIRST_DISC_LABEL
        middle = np.abs(self.x) < 9
        spots = np.argwhere(lowest & middle)
        if len(spots) < 30:
            return
        points = spots[:, 1:] * np.asarray(self.spacing[1:])
        centre = points.mean(0)
        along = np.linalg.svd(points - centre, full_matrices=False)[2][0]
        along = along if along[1] > 0 else -along
        half = np.ptp((points - centre) @ along) / 2
        down = np.array([along[1], -along[0]])
        edge = 4.0
        for number, (height, shrink) in enumerate(((27, 0.86), (22, 0.75), (18, 0.7))):
            turn = np.deg2rad(self.rng.uniform(3, 14) + 8 * number)
            down = _turn(down, turn)
            along = np.array([-down[1], down[0]])
            self._sacral_body(tissues, centre, along, down, edge, height, half, shrink)
            centre = centre + down * (edge + height + 1.5) + along * half * (1 - shrink) * 0.5
            half, edge = half * shrink, 1.2

    def _sacral_body(self, tissues, centre, along, down, edge, height, half, shrink) -> None:
        rows, columns = self.y - centre[0], self.z - centre[1]
        depth = rows * down[0] + columns * down[1]
        across = rows * along[0] + columns * along[1]
        share = np.clip(depth / height, 0, 1)
        width = half * (1 - (1 - shrink) * share)
        reach = 46 - 12 * share
        body = (depth > edge) & (depth < edge + height) & (np.abs(across) < width)
        ala = body & (np.abs(self.x) > 24)
        body = body & (np.abs(self.x) < reach)
        body = body & ~(ala & (across < 0) & (np.abs(self.x) > 24 + 0.8 * (across + width)))
        rim = ((depth < edge + 1.2) | (depth > edge + height - 1.0) | (np.abs(across) > width - 1.0)) & body
        tissues[body] = Tissue.SACRUM
        tissues[rim] = Tissue.CORTEX
        behind = (depth > edge) & (depth < edge + height) & (across > width) & (across < width + 11)
        tissues[behind & (np.abs(self.x) < 9)] = Tissue.EPIDURAL_FAT
        tissues[behind & (np.abs(self.x) < 5) & (across < width + 8) & (self.noise(6, 40, 6) > -0.2)] = (
            Tissue.CSF
        )
        arch = (depth > edge) & (depth < edge + height) & (across > width + 11) & (across < width + 19)
        tissues[arch & (np.abs(self.x) < 14)] = Tissue.SACRUM

    def neural_arch_gaps(self, tissues: np.ndarray) -> None:
        """Fat, ligament and nerve roots between the labels around canal and foramina."""
        near = self._distance(self.structures == Structure.BACKGROUND) < 5.0
        gap = near & (self.z > self.row(self.marks.wall) - 3) & (np.abs(self.x) < 20)
        gap &= self.z < self.row(self.marks.canal_back) + 14
        texture = self.noise(8, 5, 5)
        limit = self.rng.uniform(0.4, 1.2)
        tissues[gap] = Tissue.EPIDURAL_FAT
        tissues[gap & (texture > limit)] = Tissue.LIGAMENT
        root = gap & (np.abs(self.x) > 7) & (self.noise(6, 9, 9) > 1.1)
        tissues[root] = Tissue.CORD

    def labelled(self, tissues: np.ndarray) -> None:
        """The labels themselves, with what lies inside them."""
        vertebra = self.structures == Structure.VERTEBRA
        disc = self.structures == Structure.DISC
        canal = self.structures == Structure.CANAL
        endplate = (
            ~vertebra & ~disc & ~canal & (self._distance(~vertebra) < 2.2) & (self._distance(~disc) < 2.2)
        )
        tissues[endplate] = Tissue.CORTEX
        depth = self._distance(vertebra)
        arch = self.z > self.row(self.marks.wall) + 2
        tissues[vertebra] = Tissue.MARROW
        tissues[vertebra & arch] = Tissue.ARCH_MARROW
        tissues[vertebra & (depth < self.rng.uniform(0.5, 1.1))] = Tissue.CORTEX
        for _ in range(self.rng.integers(0, 4)):
            self._lesion(tissues, vertebra)
        self._discs(tissues, disc)
        self._canal(tissues, canal)

    def _lesion(self, tissues: np.ndarray, vertebra: np.ndarray) -> None:
        """Haemangioma, Schmorl node, Modic change: something else inside bone, still vertebra."""
        spots = np.argwhere(vertebra)
        centre = spots[self.rng.integers(len(spots))] * np.asarray(self.spacing)
        radius = self.rng.uniform(3, 11)
        slices = np.arange(len(vertebra))[:, None, None] * self.spacing[0]
        away = (slices - centre[0]) ** 2 + (self.y - centre[1]) ** 2 + (self.z - centre[2]) ** 2
        tissues[vertebra & (away < radius**2)] = Tissue.LESION

    def _discs(self, tissues: np.ndarray, disc: np.ndarray) -> None:
        tissues[disc] = Tissue.ANNULUS
        depth = self._distance(disc)
        for label in np.unique(self.levels[disc]):
            if self.rng.random() < 0.2:
                continue
            inside = disc & (self.levels == label)
            rim = self.rng.uniform(0.25, 0.6) * depth[inside].max()
            tissues[inside & (depth > rim)] = Tissue.NUCLEUS

    def _canal(self, tissues: np.ndarray, canal: np.ndarray) -> None:
        """CSF; the cord down to the conus near L1/L2, roots sinking to the back below it."""
        tissues[canal] = Tissue.CSF
        share = (self.z - self.row(self.marks.wall)) / self.row(
            np.maximum(self.marks.canal_back - self.marks.wall, 4)
        )
        conus = self._conus_mm()
        cord = (self.y < conus) & (self.x**2 / 22 + ((share - 0.5) / 0.26) ** 2 < 1)
        roots = (self.y >= conus - 10) & (share + 0.15 * self.noise(6, 60, 3) > self.rng.uniform(0.5, 0.75))
        roots &= self.noise(3, 50, 1.2) > self.rng.uniform(-0.6, 0.6)
        tissues[canal & (cord | roots)] = Tissue.CORD
        edge = canal & (self._distance(canal) < 0.6)
        tissues[edge & (self.noise(20, 20, 20) > 0.3)] = Tissue.LIGAMENT

    def _conus_mm(self) -> float:
        rows = np.flatnonzero((self.levels == 5).any((0, 2)))
        middle = rows.mean() * self.spacing[1] if len(rows) else self.y.max() * 0.25
        return float(middle + self.rng.normal(0, 18))

    def _distance(self, mask: np.ndarray) -> np.ndarray:
        """mm to the nearest voxel outside `mask`, slice by slice (thick slices say little across)."""
        return np.stack(
            [edt.edt(np.ascontiguousarray(s), anisotropy=self.spacing[1:]) for s in mask.astype(np.uint8)]
        )


def _turn(vector: np.ndarray, angle: float) -> np.ndarray:
    """Turn a (row, column) direction that points down so that it points further to the back."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([vector[0] * c - vector[1] * s, vector[0] * s + vector[1] * c])
