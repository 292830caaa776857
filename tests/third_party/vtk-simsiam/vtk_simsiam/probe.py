"""What a backbone's features are worth: does a picture's nearest neighbours tell what it shows?

Nothing is trained here. The measure is that of Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance
Discrimination" (2018), section 3.4, by which Chen and He watch SimSiam too.
"""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from vtk_simsiam.data import DrawnPictures, to_network

NEIGHBOURS, TEMPERATURE = 20, 0.1
_BATCH = 256


def accuracy(backbone: nn.Module, known: DrawnPictures, asked: DrawnPictures) -> float:
    """The share of ``asked`` whose shape is that of most of its neighbours in ``known``; the nearer count more."""
    bank, queries = (normalize(features(backbone, part), dim=1) for part in (known, asked))
    found = vote(bank, torch.from_numpy(known.shapes), queries)
    return float((found == torch.from_numpy(asked.shapes)).float().mean())


def vote(bank: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
    """For each query, (M, D), the label that its nearest of (N, D) vote for; all of length one."""
    likeness, places = (queries @ bank.T).topk(min(NEIGHBOURS, len(bank)), dim=1)
    weights = (likeness / TEMPERATURE).exp()
    return (one_hot(labels)[places] * weights[..., None]).sum(1).argmax(1)


def features(backbone: nn.Module, pictures: DrawnPictures) -> Tensor:
    """(N, D) on the CPU, of whole pictures, neither cut nor recoloured."""
    device = next(backbone.parameters()).device
    pixels: npt.NDArray[np.uint8] = np.stack(pictures.pictures).transpose(0, 3, 1, 2)
    with torch.inference_mode():
        parts = [backbone(to_network(part.to(device))) for part in torch.from_numpy(pixels.copy()).split(_BATCH)]
    return torch.cat(parts).float().cpu()


def settled(backbone: nn.Module, pictures: DrawnPictures) -> nn.Module:
    """A copy whose batch norms have measured these pictures, as training would have let them."""
    copied = copy.deepcopy(backbone).train()
    for module in copied.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None  # the plain mean over the batches
    features(copied, pictures)
    return copied.eval()
