"""From a segmentation to figures: the one call that the page, the command and the report share."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from napari_spineseg import __version__
from napari_spineseg.anatomy import FIRST_DISC_LABEL, Structure, structure_of
from napari_spineseg.errors import ScanError
from napari_spineseg.measurement.alignment import coronal_cobb, lordosis, pair_readings
from napari_spineseg.measurement.body import Body, find_body
from napari_spineseg.measurement.canal import trace_canal
from napari_spineseg.measurement.catalogue import CATALOGUE, Of
from napari_spineseg.measurement.disc import Disc, disc_readings, find_disc, height_index
from napari_spineseg.measurement.figures import Figure, Measurements
from napari_spineseg.measurement.likeness import compared
from napari_spineseg.measurement.reading import Readings
from napari_spineseg.measurement.settings import MeasureSettings
from napari_spineseg.measurement.signal import disc_signal, sequence_caution, voxels_of
from napari_spineseg.measurement.space import Missing, Space, to_space
from napari_spineseg.measurement.stenosis import canal_readings
from napari_spineseg.measurement.vertebra import mean_height, vertebra_readings
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation

_STAGE = "Measuring"
_NOTHING = "There is no vertebra and no disc in this segmentation, so nothing was measured."
_SACRUM = "the sacrum is not labelled"


def measure(
    segmentation: Segmentation,
    scan: Scan | None = None,
    settings: MeasureSettings | None = None,
    control: Control | None = None,
) -> Measurements:
    """Measure every vertebra and disc of a segmentation, and the spine as a whole.

    Parameters
    ----------
    segmentation
        Of the `levels` scheme, on any grid.
    scan
        What was segmented, on the same grid; without it signal is not measured.
    settings
        The defaults, if none are given.
    control
        Told of every level, and asked there whether to stop.

    Returns
    -------
    Measurements
        One figure for each measure of each level that is there, known or with the reason why not.

    Raises
    ------
    ScanError
        If the segmentation holds structures without levels.
    Stopped
        If `control` said so.
    """
    settings, control = settings or MeasureSettings(), control or Control()
    # Labels without a number belong to either scheme: there was no spine in the scan.
    if segmentation.scheme != "levels" and segmentation.labels.any():
        raise ScanError(
            f"{segmentation.name}: its labels tell structures but not levels; segment with the "
            "labels set to `levels` to measure."
        )
    control.check()
    job = _Job(segmentation, scan, settings, control)
    return job.run()


class _Job:
    """One run: what all levels share."""

    def __init__(
        self, segmentation: Segmentation, scan: Scan | None, settings: MeasureSettings, control: Control
    ) -> None:
        self.segmentation, self.scan = segmentation, scan
        self.settings, self.control = settings, control
        self.space: Space = to_space(segmentation)
        self.levels = _in_order(self.space.boxes)
        self.done = 0
        self.bodies: dict[int, Body | Missing] = {}
        self.readings: dict[int, Readings] = {}

    def run(self) -> Measurements:
        """Measure level by level."""
        warnings = list(self.segmentation.warnings)
        if not self.levels:
            return Measurements((), (*warnings, _NOTHING), self._provenance())
        self.canal = trace_canal(self.space)
        self.voxels = voxels_of(self.scan, self.segmentation)
        for label in self.levels:
            if structure_of(label) is Structure.VERTEBRA:
                self._step()
                self.bodies[label] = find_body(
                    self.space, self.canal, label, self._name(label), self.settings
                )
        self.bodies = compared(self.bodies)
        for label, body in self.bodies.items():
            self.readings[label] = vertebra_readings(self.space, label, body)
        for label in self.levels:
            if structure_of(label) is Structure.DISC:
                self._step()
                self._disc(label)
        self._step()
        self.readings[0] = self._spine()
        figures = [figure for label in (*self.levels, 0) for figure in self._figures(label)]
        return Measurements(tuple(figures), tuple([*warnings, *self._warnings()]), self._provenance())

    def _step(self) -> None:
        self.control.step(_STAGE, self.done, len(self.levels) + 1)
        self.done += 1

    def _name(self, label: int) -> str:
        return self.segmentation.numbering.name(label) if label else "spine"

    def _beside(self, label: int) -> tuple[Body | Missing, Body | Missing]:
        """The bodies above and below a disc, with whose fault it is where one is missing."""
        above = label - FIRST_DISC_LABEL + 1
        out = []
        for number in (above, above - 1):
            if number == 0:
                out.append(Missing(_SACRUM))
                continue
            body = self.bodies.get(number, Missing("it is not labelled"))
            named = isinstance(body, Missing)
            out.append(Missing(f"{self._name(number)}: {body.reason}") if named else body)
        return tuple(out)

    def _disc(self, label: int) -> None:
        space, settings, canal = self.space, self.settings, self.canal
        above, below = self._beside(label)
        known = [body for body in (above, below) if isinstance(body, Body)]
        disc = find_disc(space, canal, label, self._name(label), known, settings)
        disc = _in_place(disc, above, below)
        readings = disc_readings(space, label, disc)
        pair = pair_readings(above, below)
        readings |= pair
        readings |= canal_readings(space, canal, disc, settings)
        note = sequence_caution(self.scan)
        readings["disc_signal"] = disc_signal(space, canal, disc, self.voxels, settings, note)
        readings["disc_height_index"] = self._index(label, readings, (above, below))
        self.readings[label] = readings

    def _index(self, label: int, readings: Readings, beside: tuple[Body | Missing, ...]) -> Any:
        above = label - FIRST_DISC_LABEL + 1
        note = f"Against {self._name(above)} alone: {_SACRUM}." if above == 1 else ""
        heights = [
            body if isinstance(body, Missing) else mean_height(self.readings[number])
            for number, body in ((above, beside[0]), (above - 1, beside[1]))
            if number
        ]
        return height_index(readings, heights, note)

    def _spine(self) -> Readings:
        lumbar = self.segmentation.numbering.lumbar
        named = {
            n: Missing(f"{self._name(n)}: {body.reason}") if isinstance(body, Missing) else body
            for n, body in self.bodies.items()
        }
        for n in (1, lumbar):
            named.setdefault(n, Missing(f"{self._name(n)}: it is not labelled"))
        return {
            "lordosis": lordosis(named, lumbar),
            "coronal_cobb": coronal_cobb(self.space, self.bodies),
        }

    def _figures(self, label: int) -> list[Figure]:
        """Each measure of a level, in the order of the catalogue."""
        of: Of = "spine"
        if label:
            of = "vertebra" if structure_of(label) is Structure.VERTEBRA else "disc"
        out = []
        for key, what in CATALOGUE.items():
            if what.of == of:
                reading = self.readings[label][key]
                if isinstance(reading, Missing):
                    out.append(Figure(key, label, self._name(label), None, _sentence(reading.reason)))
                else:
                    value = reading.value
                    out.append(
                        Figure(key, label, self._name(label), value, "", reading.caution, reading.marks)
                    )
        return out

    def _warnings(self) -> list[str]:
        """What is to be said of all figures together."""
        out = []
        numbers = [n for n in self.levels if structure_of(n) is Structure.VERTEBRA]
        lost = [n for n in range(min(numbers, default=1), max(numbers, default=0)) if n not in numbers]
        if lost:
            names = " and ".join(self._name(n) for n in reversed(lost))
            verb = "is" if len(lost) == 1 else "are"
            out.append(f"{names} {verb} missing between labelled vertebrae; check the numbers of the levels.")
        found = [body for body in self.bodies.values() if isinstance(body, Body)]
        if any(body.narrow for body in found):
            out.append(
                "The scan shows no sides of the canal, so its middle was taken for the middle of the spine."
            )
        height = {
            n: body.frame.origin @ -self.space.down
            for n, body in self.bodies.items()
            if isinstance(body, Body)
        }
        order = sorted(height)
        if any(height[a] >= height[b] for a, b in pairwise(order)):
            out.append("The numbers of the vertebrae do not run upward in order; check them.")
        return out

    def _provenance(self) -> dict[str, Any]:
        return {
            "settings": self.settings.model_dump(mode="json"),
            "version": __version__,
            "segmentation": self.segmentation.name,
            "scan": None if self.scan is None else self.scan.name,
            "spacing_mm": [float(s) for s in self.segmentation.grid.spacing],
            "source": dict(self.segmentation.provenance),
        }


def _in_order(boxes: dict[int, Any]) -> list[int]:
    """Labels of vertebrae and discs from the lowest upward: L5/S1, L5, L4/L5, L4, ..."""
    places = {}
    for label in boxes:
        if structure_of(label) is Structure.VERTEBRA:
            places[label] = 2 * label
        elif structure_of(label) is Structure.DISC:
            places[label] = 2 * (label - FIRST_DISC_LABEL) + 1
    return sorted(places, key=places.__getitem__)


def _in_place(disc: Disc | Missing, above: Body | Missing, below: Body | Missing) -> Disc | Missing:
    """The disc, if it lies between the bodies that its number says."""
    if isinstance(disc, Missing):
        return disc
    for body, sign in ((above, 1), (below, -1)):
        if isinstance(body, Body):
            away = sign * float((body.frame.origin - disc.frame.origin) @ disc.frame.w)
            if not 4 < away < 45:
                side = "below" if sign > 0 else "above"
                return Missing(f"it does not lie {side} {body.name}; check their numbers")
    return disc


def _sentence(reason: str) -> str:
    """A reason with a capital and a full stop."""
    return reason[0].upper() + reason[1:] + ("" if reason.endswith(".") else ".")
