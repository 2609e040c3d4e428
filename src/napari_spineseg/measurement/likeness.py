"""Bodies unlike those beside them: a label that lost a piece, or ran over, leaves a whole outline behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from napari_spineseg.measurement.body import Body
from napari_spineseg.measurement.reading import words
from napari_spineseg.measurement.space import Missing

# Depth over the mean depth of those near: 0.82 to 1.14 in all 295 bodies of reference labels that are
# near another (benchmarks/measurements.md).
_LEAST, _MOST = 0.80, 1.25
# Near are two levels up and two down, so that one odd body does not make its neighbours odd.
_NEAR = (2, 1, -1, -2)


def compared(bodies: Mapping[int, Body | Missing]) -> dict[int, Body | Missing]:
    """The bodies by their labels, with a caution where the depth is none that a body has among these."""
    return {label: _among(body, label, bodies) for label, body in bodies.items()}


def _among(body: Body | Missing, label: int, bodies: Mapping[int, Body | Missing]) -> Body | Missing:
    near = [bodies.get(label + step) for step in _NEAR]
    near = [other for other in near if isinstance(other, Body)]
    if isinstance(body, Missing) or not near:
        return body
    share = body.outline.depth * len(near) / sum(other.outline.depth for other in near)
    if _LEAST <= share <= _MOST:
        return body
    names = ", ".join(other.name for other in near)
    caution = (
        f"{body.name} is {100 * abs(share - 1):.0f} % {'more' if share > 1 else 'less'} deep than what lies "
        f"near it ({names}), and bodies hardly differ so: check its front and back."
    )
    return replace(body, caution=words(body.caution, caution))
