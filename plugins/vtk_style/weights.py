"""The vgg's weights: torchvision's published ones, a checked local copy of them, or seeded random filters."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit import ExitCode, VtkError
from toolkit.data import IMAGENET_MEAN, IMAGENET_STD
from toolkit.models import hub_folder
from toolkit.system import os_error
from vtk_style.feature_layers import CHANNELS, pooled_after

Parameters = list[tuple[Tensor, Tensor]]

PUBLISHED_HASH = "dcbb9e9d"
"""First eight digits of the SHA-256 of torchvision's VGG19_Weights.IMAGENET1K_V1."""

_FEATURE_INDICES = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
"""Where torchvision's ``vgg19().features`` has its sixteen convolutions."""

_OFFLINE = "Fetch vgg19-dcbb9e9d.pth from PyTorch on another machine and give it with --weights FILE"


def load_parameters(source: str, depth: int, seed: int) -> Parameters:
    """Weights and biases of the first ``depth`` convolutions, float32 on the CPU.

    Args:
        source: ``imagenet`` (torchvision's, through its usual cache), ``random``, or the path of a local copy.
        depth: convolutions that are needed, 1 … 16.
        seed: of ``random``.

    Raises:
        VtkError: the weights cannot be had (69), the file is missing (66), or it is not the published one (65).
    """
    if source == "random":
        return random_parameters(depth, seed)
    state = published_state() if source == "imagenet" else read_state(Path(source))
    return _pick(state, depth, source)


def planned_download(source: str) -> str | None:
    """One line about what :func:`load_parameters` would fetch, or None."""
    if source != "imagenet":
        return None
    from torchvision.models import VGG19_Weights

    url = VGG19_Weights.IMAGENET1K_V1.url
    cached = hub_folder() / "checkpoints" / url.rpartition("/")[2]
    return None if cached.is_file() else f"VGG-19's weights from {url}, 548 MB"


def published_state() -> dict[str, Tensor]:
    """torchvision's VGG19_Weights.IMAGENET1K_V1, from the cache or fetched into it.

    Raises:
        VtkError: there is no network, or what came is not what was published (exit code 69).
    """
    from torchvision.models import VGG19_Weights

    url = VGG19_Weights.IMAGENET1K_V1.url
    try:
        state = torch.hub.load_state_dict_from_url(
            url, str(hub_folder() / "checkpoints"), map_location="cpu", check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        if told := os_error(error):
            raise told from error
        raise VtkError(
            f"the VGG-19 weights cannot be fetched: {error}",
            place=url,
            hint=f"{_OFFLINE}, or try the pipeline with --weights random.",
            code=ExitCode.UNAVAILABLE,
        ) from error
    return dict(state)


def read_state(path: Path) -> dict[str, Tensor]:
    """A local copy: the published file, or a state dict of its features alone.

    The published file is known by its hash. A smaller file cannot have that hash; it is known by the hash that it
    carries in its name, as PyTorch's own files do: ``features-0123abcd.pth``.

    Raises:
        VtkError: it is missing (66), unreadable, or its hash is another (65).
    """
    _check_hash(path)
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch.load answers a file that is no checkpoint with whatever its parsers ran into.
        raise _unfit(path, f"cannot be read as weights: {str(error).splitlines()[0]}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise _unfit(path, "holds no state dict")
    return state


def _check_hash(path: Path) -> None:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        hint = f"{_OFFLINE}."
        reason = f"the weights cannot be read: {error.strerror}"
        raise VtkError(reason, place=str(path), hint=hint, code=ExitCode.NO_INPUT) from error
    expected = {PUBLISHED_HASH}
    _, dash, named = path.stem.rpartition("-")
    if dash and len(named) == len(PUBLISHED_HASH):
        expected.add(named)
    if digest[: len(PUBLISHED_HASH)] not in expected:
        raise _unfit(path, f"SHA-256 begins with {digest[:8]} instead of {' or '.join(sorted(expected))}")


def _pick(state: dict[str, Tensor], depth: int, source: str) -> Parameters:
    """The convolutions of a state dict, under torchvision's names, with or without ``features.``."""
    picked: Parameters = []
    inputs = 3
    for conv in range(depth):
        names = [f"{_FEATURE_INDICES[conv]}.{kind}" for kind in ("weight", "bias")]
        pair = [state.get(f"features.{name}", state.get(name)) for name in names]
        shapes = [(CHANNELS[conv], inputs, 3, 3), (CHANNELS[conv],)]
        for name, value, shape in zip(names, pair, shapes, strict=True):
            if value is None:
                raise _unfit(Path(source), f"has no features.{name} (conv_{conv + 1})")
            if tuple(value.shape) != shape:
                raise _unfit(Path(source), f"features.{name} has shape {tuple(value.shape)} instead of {shape}")
        weight, bias = pair
        assert weight is not None
        assert bias is not None
        picked.append((weight.float(), bias.float()))
        inputs = CHANNELS[conv]
    return picked


def _unfit(path: Path, reason: str) -> VtkError:
    return VtkError(f"these are not the VGG-19 weights: {reason}", place=str(path), hint=_OFFLINE + ".")


def random_parameters(depth: int, seed: int) -> Parameters:
    """Seeded random filters whose every output channel has zero mean and unit variance on natural-image statistics.

    Random filters with normalised layers still transfer texture (He, Wang and Hopcroft, "A Powerful Generative Model
    Using Random Weights for the Deep Image Representation", 2016). The layers are normalised on noise with the 1/f
    spectrum that photographs have.
    """
    generator = torch.Generator().manual_seed(seed)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    flow = (_natural_noise(generator) - mean) / std
    parameters: Parameters = []
    for conv in range(1, depth + 1):
        inputs = flow.shape[1]
        weight = torch.randn(CHANNELS[conv - 1], inputs, 3, 3, generator=generator) / math.sqrt(9 * inputs)
        output = F.conv2d(flow, weight, padding=1)
        mean, std = output.mean((0, 2, 3)), output.std((0, 2, 3)).clamp_min(1e-6)
        parameters.append((weight / std.view(-1, 1, 1, 1), -mean / std))
        flow = ((output - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)).relu()
        if pooled_after(conv):
            flow = F.max_pool2d(flow, 2)
    return parameters


def _natural_noise(generator: torch.Generator, side: int = 128) -> Tensor:
    """An image (1, 3, side, side) with a 1/f spectrum, mostly grey as photographs are; mean 0.45, deviation 0.25."""
    white = torch.randn(3, side, side, generator=generator)
    rows = torch.fft.fftfreq(side).view(-1, 1)
    columns = torch.fft.rfftfreq(side).view(1, -1)
    falloff = 1 / (rows.square() + columns.square()).sqrt().clamp_min(1 / side)
    pink = torch.fft.irfft2(torch.fft.rfft2(white) * falloff, s=(side, side))
    pink = (pink - pink.mean((1, 2), keepdim=True)) / pink.std((1, 2), keepdim=True)
    mixed = 0.9 * pink[:1] + 0.4 * pink
    noise: Tensor = 0.45 + 0.25 * mixed / mixed.std()
    return noise.unsqueeze(0)
