"""Total-variation denoising of a slice in torch: Chambolle's projection algorithm.

Chambolle, "An algorithm for total variation minimization and applications", JMIV 2004: minimises
0.5 · |u − f|² + weight · TV(u) through its dual field p,

    p ← (p − τ · ∇(div p + f / weight)) / (1 + (τ / weight)· |∇ …|),   u = f + weight · div p …

in the signs of scikit-image's `denoise_tv_chambolle`, whose results it gives (tests hold that) at
a fixed number of iterations, which is what makes a slice take the same time whatever is in it.
"""

from __future__ import annotations

import numpy as np
import torch


def flatten(slice_: np.ndarray, weight: float, iterations: int) -> np.ndarray:
    """(height, width) float32, denoised.

    Parameters
    ----------
    weight
        How much variation costs, in grey values: larger is flatter.
    """
    image = torch.from_numpy(slice_)
    rows, columns = torch.zeros_like(image), torch.zeros_like(image)
    down, right = torch.zeros_like(image), torch.zeros_like(image)
    divergence, length = torch.zeros_like(image), torch.empty_like(image)
    tau = 0.25  # 1 / (2 · dimensions), where the iteration is known to converge
    result = image.clone()
    for _ in range(iterations):
        torch.add(image, divergence, out=result)
        torch.sub(result[1:], result[:-1], out=down[:-1])
        torch.sub(result[:, 1:], result[:, :-1], out=right[:, :-1])
        torch.hypot(down, right, out=length)
        length.mul_(tau / weight).add_(1)
        rows.sub_(down, alpha=tau).div_(length)
        columns.sub_(right, alpha=tau).div_(length)
        torch.add(rows, columns, out=divergence).neg_()
        divergence[1:] += rows[:-1]
        divergence[:, 1:] += columns[:, :-1]
    return torch.add(image, divergence).numpy()
