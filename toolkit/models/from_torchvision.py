"""torchvision's classifiers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.models.heads import heads
from toolkit.models.library import Form, Preprocessing, no_such_option, wrong_image_size
from toolkit.models.weights import Download, at_url, load_state

# Two networks scale their input themselves and have a second output in training, or not, as arguments say. Trained from
# scratch, fine-tuned or read back from a bundle they must be the same network, so the arguments never vary.
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "inception_v3": {"aux_logits": False, "transform_input": True, "init_weights": True},
    "googlenet": {"aux_logits": False, "transform_input": True, "init_weights": True},
}
_SECOND_OUTPUTS = ("AuxLogits.", "aux1.", "aux2.")


class DroppedLinear(nn.Linear):
    """A linear layer that sees its input through dropout, with the parameter names of the layer it replaces."""

    def __init__(self, replaced: nn.Linear, dropout: float) -> None:
        super().__init__(replaced.in_features, replaced.out_features, bias=replaced.bias is not None)
        self.load_state_dict(replaced.state_dict())
        self.dropout = dropout

    def forward(self, input: Tensor) -> Tensor:
        """``(…, in_features)`` → ``(…, out_features)``."""
        return super().forward(nn.functional.dropout(input, self.dropout, self.training))


@cache
def names() -> tuple[str, ...]:
    """Every classifier; detection, segmentation and quantised models are none."""
    import torchvision

    return tuple(torchvision.models.list_models(module=torchvision.models))


def knows(name: str) -> bool:
    """Whether torchvision has a classifier of this name."""
    return name in names()


def published(name: str) -> Download:
    """The weights that torchvision calls its default; every classifier has some."""
    weights = _default_weights(name)
    return at_url(weights.url, weights.meta.get("_file_size"))


def preprocessing(name: str, image_size: int | None = None) -> Preprocessing:
    """What the default weights want."""
    preset = _default_weights(name).transforms()
    native = int(preset.crop_size[0])
    size = image_size or native
    resize = round(size * int(preset.resize_size[0]) / native)
    method = preset.interpolation.value
    return Preprocessing(tuple(preset.mean), tuple(preset.std), size, max(size, resize), interpolation=method)


def build(name: str, form: Form) -> nn.Module:
    """The model as initialised."""
    import torchvision

    arguments = dict(_ARGUMENTS.get(name, {}))
    if name.startswith("vit_"):
        arguments["image_size"] = form.image_size
    elif name.startswith("maxvit_"):
        arguments["input_size"] = (form.image_size, form.image_size)
    builder = torchvision.models.get_model_builder(name)
    try:
        model: nn.Module = builder(weights=None, num_classes=form.num_classes, **arguments)
    except (AssertionError, RuntimeError, ValueError) as error:
        raise wrong_image_size(f"torchvision:{name}", form.image_size, preprocessing(name).image_size) from error
    _drop_before_heads(name, model, form.dropout)
    _drop_branches(name, model, form.drop_path)
    return model


def build_published(name: str, form: Form, state: dict[str, Tensor]) -> nn.Module:
    """The model with torchvision's weights."""
    model = build(name, form)
    load_state(model, convert(name, model, state), heads=heads(model), place=published(name).source)
    return model


def convert(name: str, model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the second outputs; a vision transformer's positions are interpolated to the image size."""
    kept = {key: tensor for key, tensor in state.items() if not key.startswith(_SECOND_OUTPUTS)}
    if not name.startswith("vit_"):
        return kept
    from torchvision.models.vision_transformer import interpolate_embeddings

    vit: Any = model
    try:
        return dict(interpolate_embeddings(vit.image_size, vit.patch_size, kept))
    except (KeyError, ValueError):
        # Not this transformer's state at all: comparing the names says so better.
        return kept


def _default_weights(name: str) -> Any:
    import torchvision

    return torchvision.models.get_model_weights(name).DEFAULT


def _drop_before_heads(name: str, model: nn.Module, dropout: float) -> None:
    """Make ``dropout`` the rate of the classifier: of torchvision's own layers, or of one that is added."""
    for path, head in heads(model).items():
        if _set_own_dropout(model, path, dropout) or not dropout:
            continue
        if not isinstance(head, nn.Linear):
            raise no_such_option(f"torchvision:{name}", "dropout", "its head is no linear layer; leave dropout out")
        parent, _, attribute = path.rpartition(".")
        with torch.random.fork_rng(devices=[]):
            setattr(model.get_submodule(parent), attribute, DroppedLinear(head, dropout))


def _drop_branches(name: str, model: nn.Module, drop_path: float) -> None:
    """Make ``drop_path`` the largest rate of the residual branches, which grows with depth as torchvision has it."""
    from torchvision.ops import StochasticDepth

    branches = [module for module in model.modules() if isinstance(module, StochasticDepth)]
    largest = max((branch.p for branch in branches), default=0.0)
    if drop_path and not largest:
        remedy = "take a model of timm or one such as convnext_tiny or swin_t, or leave drop_path out"
        raise no_such_option(f"torchvision:{name}", "drop_path", remedy)
    for branch in branches:
        branch.p *= drop_path / largest if largest else 0.0


def _set_own_dropout(model: nn.Module, head: str, dropout: float) -> bool:
    """Whether the head sees its features through a layer of torchvision's, whose rate is set; others' rates are too."""
    container, _, place = head.rpartition(".")
    inside = list(model.get_submodule(container).children()) if container else []
    around = [module for module in (*inside, getattr(model, "dropout", None)) if isinstance(module, nn.Dropout)]
    for module in around:
        module.p = dropout
    last = inside[int(place) - 1] if place.isdigit() and int(place) else None
    return isinstance(last, nn.Dropout) or (not container and bool(around))
