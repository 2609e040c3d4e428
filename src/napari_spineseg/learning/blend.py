"""Networks between networks, and how far a candidate may go from its parent: as far as the guard allows.

Of a candidate what is kept is parent + share · (trained - parent), with the largest share under which the
gate's rule on the guard set holds (WiSE-FT: Wortsman et al., Robust fine-tuning of zero-shot models, CVPR
2022). What is lost on the guard grows about as the square of the share, what is gained on the corrections
less than that.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from napari_spineseg.errors import SettingsError
from napari_spineseg.learning.run.events import Change
from napari_spineseg.learning.verdict.gate import GUARD_LOSS, forgotten

SHARES = (1.0, 0.85, 0.7, 0.55, 0.4, 0.3)

Changes = dict[str, Change]


def blended(networks: Sequence[nn.Module], shares: Sequence[float]) -> nn.Module:
    """The weighted mean of networks that lie on one path of training.

    It is flatter than any of them, and does better on scans unlike those trained on (Wortsman et
    al., Model soups, ICML 2022).

    Raises
    ------
    SettingsError
        If there is not one share a network.
    """
    if len(networks) != len(shares) or sum(shares) <= 0:
        raise SettingsError(f"blend names {len(shares)} shares for {len(networks)} stages.")
    out = copy.deepcopy(networks[-1])
    states = [network.state_dict() for network in networks]
    with torch.no_grad():
        for name, value in out.state_dict().items():
            if value.is_floating_point():
                parts = (share * state[name] for share, state in zip(shares, states, strict=True))
                value.copy_(sum(parts) / sum(shares))
    return out


def as_far_as_allowed(
    parent: nn.Module, trained: nn.Module, on_guard: Callable[[nn.Module], Changes]
) -> tuple[nn.Module, float, Changes]:
    """The network that goes furthest without forgetting, its share, and what becomes of the guard set.

    It is `trained` itself if that forgets nothing, or if even the smallest share forgets too much.

    Parameters
    ----------
    on_guard
        What becomes of the scores on the guard set with a network.
    """
    changes = on_guard(trained)
    for share in _worth_trying(changes):
        network = blended((parent, trained), (1 - share, share))
        found = on_guard(network)
        if not forgotten(found):
            return network, share, found
    return trained, 1.0, changes


def _worth_trying(changes: Changes) -> Iterator[float]:
    """Shares below 1 that may do, largest first; none if all is well, or if nothing can be known."""
    lost = changes["mean"].change
    if not forgotten(changes) or lost is None:
        return
    yield from (share for share in SHARES if share < 1 and -lost * share**2 <= GUARD_LOSS)
