"""The same network and weights under other people's sliding windows, where they are installed.

`pip install spineseg[bench]` brings MONAI and nnU-Net v2.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace

import torch
from torch import nn

PATCH = (512, 512)

Peer = Callable[[torch.Tensor], torch.Tensor]


def peers(network: nn.Module, classes: int, patch: tuple[int, ...] = PATCH) -> dict[str, Peer]:
    """Name to a function from (slices, channels, H, W) to logits of the same layout.

    A patch of three sides is for a network of volumes: (1, channels, D, H, W) then.
    """
    found: dict[str, Peer] = {}
    if find_spec("monai"):
        found["MONAI fp32"] = _monai(network, torch.float32, patch)
        found["MONAI bf16 autocast"] = _monai(network, torch.bfloat16, patch)
    if find_spec("nnunetv2"):
        found["nnU-Net without mirroring"] = _nnunet(network, classes, patch, mirror=False)
        found["nnU-Net defaults"] = _nnunet(network, classes, patch, mirror=True)
    return found


def _monai(network: nn.Module, dtype: torch.dtype, patch: tuple[int, ...]) -> Peer:
    from monai.inferers import sliding_window_inference

    def run(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            return sliding_window_inference(images, patch, 1, network, overlap=0.25, mode="gaussian").float()

    return run


def _nnunet(network: nn.Module, classes: int, patch: tuple[int, ...], mirror: bool) -> Peer:
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(use_mirroring=mirror, device=torch.device("cpu"), allow_tqdm=False)
    predictor.network = network
    predictor.allowed_mirroring_axes = tuple(range(len(patch)))
    predictor.configuration_manager = SimpleNamespace(patch_size=patch)
    predictor.label_manager = SimpleNamespace(num_segmentation_heads=classes)

    def run(images: torch.Tensor) -> torch.Tensor:
        if len(patch) == 3:
            return predictor.predict_sliding_window_return_logits(images[0])[None].float()
        # Its 2D networks walk over the slices of a (channels, slices, H, W) volume
        logits = predictor.predict_sliding_window_return_logits(images.transpose(0, 1).contiguous())
        return logits.transpose(0, 1).float()

    return run
