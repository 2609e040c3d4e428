"""A network made ready to run: norms folded, one memory layout, one precision, on one device."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from napari_spineseg.core.checkpoint import LoadedModel
from napari_spineseg.core.device import PrecisionName, choose_precision, precision_name
from napari_spineseg.core.networks.fused import fuse_activations
from napari_spineseg.core.networks.packed import pack_products
from napari_spineseg.core.networks.spine_net import SpineNet, fold
from napari_spineseg.core.networks.spine_net_ready import ReadySpineNet
from napari_spineseg.core.tiling import run_tiled, tiles_of
from napari_spineseg.errors import SpineSegError

# Least share of foreground pixels on which a reduced precision must agree with float32: what
# differs are border pixels that could go either way, and Dice moves by less than .001.
_AGREEMENT = 0.995
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_cpu")


@dataclass(frozen=True)
class Engine:
    """A network that runs as fast as its device allows.

    Attributes
    ----------
    network
        Eval mode, norms folded, channels_last, on `device`, in `dtype`; on a processor with activations
        fused and products packed.
    """

    network: nn.Module
    device: torch.device
    dtype: torch.dtype

    @property
    def precision(self) -> str:
        """ "fp32", "bf16" or "fp16"."""
        return precision_name(self.dtype)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(n, channels, H, W) -> logits (n, classes, H, W) float32; or (n, channels, D, H, W) and so on."""
        layout = _layout(images.ndim == 5)
        # One after the other is quicker than both at once, which goes value by value
        images = images.to(self.device, self.dtype, non_blocking=True).contiguous(memory_format=layout)
        with torch.inference_mode():
            logits = self.network(images).float()
        # What follows works in places that Apple's GPU lacks, and shares its memory anyway
        return logits.cpu() if self.device.type == "mps" else logits


# Engines by network: a folded copy is made once, not once a scan, and goes when the network goes.
_ENGINES: weakref.WeakKeyDictionary[nn.Module, dict] = weakref.WeakKeyDictionary()


def engine_for(
    model: LoadedModel,
    device: torch.device,
    precision: PrecisionName = "auto",
    example: Callable[[], torch.Tensor] | None = None,
) -> Engine:
    """The engine of `model` on `device`, made at the first call and kept as long as the model.

    `example` gives network input on which an automatically chosen precision is checked against
    float32; where they disagree, float32 is used.
    """
    kept = _ENGINES.setdefault(model.network, {})
    version = _version(model.network)
    if kept.get("version") != version:
        kept.clear()
        kept["version"] = version
    key = device, precision
    if key not in kept:
        engine = build_engine(model.network, device, choose_precision(device, precision))
        if precision == "auto" and engine.dtype != torch.float32 and example is not None:
            engine = _checked(engine, build_engine(model.network, device, torch.float32), example())
        kept[key] = engine
    return kept[key]


def safe_precision(asked: PrecisionName, device: torch.device, width: int, stride: int) -> PrecisionName:
    """`asked`, but float32 in place of "auto" where images of `width` come down to a single column.

    Processors with AMX then read memory that nobody wrote in bfloat16 convolutions with stride (oneDNN of
    torch 2.13), and answer with what is not a number. So narrow an image costs nothing in float32.
    """
    narrow = device.type == "cpu" and width < 2 * stride
    return "fp32" if asked == "auto" and narrow else asked


def build_engine(network: nn.Module, device: torch.device, dtype: torch.dtype) -> Engine:
    """Fold, move and fuse a copy of `network`; the network itself stays as it is."""
    ready = fold(network)
    if isinstance(ready, SpineNet):
        ready = ReadySpineNet(ready)
    volumes = any(isinstance(module, nn.Conv3d) for module in ready.modules())
    ready = ready.to(device, dtype).to(memory_format=_layout(volumes)).requires_grad_(False)
    fuse_activations(ready)
    pack_products(ready)
    return Engine(ready, device, dtype)


def _layout(volumes: bool) -> torch.memory_format:
    return torch.channels_last_3d if volumes else torch.channels_last


def _version(network: nn.Module) -> tuple[int, ...]:
    """Changes whenever a weight is written, so that a network in training is never served stale."""
    return tuple(n for t in (*network.parameters(), *network.buffers()) for n in (t._version, t.data_ptr()))


def _checked(fast: Engine, exact: Engine, images: torch.Tensor) -> Engine:
    """`fast`, unless its labels of `images` differ from those of `exact` on too many pixels."""
    return fast if agreement(fast(images), exact(images)) >= _AGREEMENT else exact


def agreement(first: torch.Tensor, second: torch.Tensor) -> float:
    """Share of pixels, among those that either calls foreground, with the same label in both.

    Both are logits (n, classes, H, W). 1 where neither sees foreground.
    """
    first, second = first.argmax(1), second.argmax(1)
    foreground = (first > 0) | (second > 0)
    return float((first == second)[foreground].float().mean()) if foreground.any() else 1.0


class Runner:
    """Runs an engine on slices of any size, and makes do with less where memory runs out.

    Parameters
    ----------
    engine
        What to run.
    tile
        Longest side of a tile, pixels.
    stride
        What the network's input sizes are multiples of.
    fallback
        Makes an engine for the processor, when a GPU's memory is not even enough for small tiles.
    """

    def __init__(
        self, engine: Engine, tile: int, stride: int, fallback: Callable[[], Engine] | None = None
    ) -> None:
        self.engine, self.tile, self.stride, self._fallback = engine, tile, stride, fallback
        self.warnings: list[str] = []
        self._lock = threading.Lock()
        self._least = max(2 * stride, 128 // stride * stride)

    def tiles(self, height: int, width: int) -> int:
        """How many tiles a (height, width) slice takes."""
        return len(tiles_of(height, width, self.tile, self.stride))

    def run(self, images: torch.Tensor, on_tile: Callable[[], None]) -> torch.Tensor:
        """(n, channels, H, W) -> logits (n, classes, H, W) float32; `on_tile` is called a tile.

        Raises
        ------
        SpineSegError
            If even small tiles on the processor do not fit into memory.
        """
        while True:
            engine, tile = self.engine, self.tile
            try:
                return run_tiled(engine, images, tiles_of(*images.shape[2:], tile, self.stride), on_tile)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the handler, so that the traceback no longer holds the failed pass' tensors.
            with self._lock:
                if (engine, tile) == (self.engine, self.tile):  # Nobody else has taken less meanwhile
                    self._take_less(max(images.shape[2:]))

    def _take_less(self, longest_side: int) -> None:
        device = self.engine.device.type
        if device == "cuda":
            torch.cuda.empty_cache()
        smaller = min(self.tile, longest_side) // 2 // self.stride * self.stride
        if smaller >= self._least:
            self.tile = smaller
            self.warnings.append(f"Memory of the {device} ran out; went on with tiles of {smaller} pixels.")
        elif device != "cpu" and self._fallback is not None:
            self.engine = self._fallback()
            self.warnings.append(
                f"Memory of the {device} ran out; went on with the processor, which is slower."
            )
        else:
            raise SpineSegError("There is not enough free memory to segment this scan; close other programs.")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python ran out of memory, on any device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(error).lower() for words in _OUT_OF_MEMORY)
