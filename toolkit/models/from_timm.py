"""timm's models."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from torch import Tensor, nn

from toolkit.models.library import Form, Preprocessing, no_such_option, wrong_image_size
from toolkit.models.weights import Download, at_url, in_hub
from toolkit.types.imagenet import IMAGENET_MEAN, IMAGENET_STD

_KEYS = {"drop_rate": "dropout", "drop_path_rate": "drop_path"}
_USUAL_SIZE, _USUAL_CROP = 224, 0.875


@cache
def names() -> tuple[str, ...]:
    """Every model, without the tags of its weights."""
    import timm

    return tuple(timm.list_models())


def knows(name: str) -> bool:
    """Whether timm has this model, and, if it carries a tag, weights of that tag."""
    import timm

    base, _, tag = name.partition(".")
    return base in names() and (not tag or name in timm.list_pretrained(f"{base}.*"))


def published(name: str) -> Download | None:
    """The weights of the name's tag, or timm's default ones; some models have none."""
    config = _config(name)
    if config is not None and config.hf_hub_id:
        return in_hub(config.hf_hub_id, config.hf_hub_filename or "model.safetensors")
    return at_url(config.url) if config is not None and config.url else None


def preprocessing(name: str, image_size: int | None = None) -> Preprocessing:
    """What the weights want, as timm's own evaluation reads their configuration; its defaults where there are none."""
    config = _config(name)
    if config is None:
        size = image_size or _USUAL_SIZE
        return Preprocessing(IMAGENET_MEAN, IMAGENET_STD, size, math.floor(size / _USUAL_CROP), interpolation="bicubic")
    size = image_size or int(config.input_size[-1])
    return Preprocessing(
        tuple(config.mean),
        tuple(config.std),
        size,
        math.floor(size / config.crop_pct),
        config.crop_mode,
        config.interpolation,
    )


def build(name: str, form: Form) -> nn.Module:
    """The model as initialised."""
    return _create(name, form)


def build_published(name: str, form: Form, state: dict[str, Tensor]) -> nn.Module:
    """The model with timm's weights, converted by timm's own rules."""
    model = _create(name, form, pretrained=True, pretrained_cfg_overlay={"state_dict": state})
    # timm keeps the overlay with the model, and with it a second copy of the weights.
    config: Any = model.pretrained_cfg
    config.pop("state_dict", None)
    return model


def convert(name: str, model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By the rule that timm's module keeps for older files and other image sizes, where names or shapes differ."""
    own = model.state_dict()
    if state.keys() == own.keys() and all(own[key].shape == tensor.shape for key, tensor in state.items()):
        return dict(state)
    rule = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    try:
        return dict(state) if rule is None else dict(rule(dict(state), model))
    except (AttributeError, KeyError, IndexError, RuntimeError, ValueError):
        # Not this model's state at all: comparing the names says so better.
        return dict(state)


def _config(name: str) -> Any:
    import timm

    return timm.models.get_pretrained_cfg(name)


def _create(name: str, form: Form, **arguments: Any) -> nn.Module:
    import timm

    # Also where they are 0: some models leave out a fifth of the features or a tenth of the branches by themselves.
    arguments.setdefault("drop_rate", form.dropout)
    arguments.setdefault("drop_path_rate", form.drop_path)
    config = _config(name)
    if config is not None and config.fixed_input_size and config.input_size[-1] != form.image_size:
        arguments["img_size"] = form.image_size
    try:
        model: nn.Module = timm.create_model(name, num_classes=form.num_classes, **arguments)
    except TypeError as error:
        for argument in _KEYS:
            if arguments[argument] == 0.0 and f"'{argument}'" in str(error):
                return _create(name, form, **arguments | {argument: None})  # it has none, and timm passes on no None
        _explain(name, form, str(error))
        raise
    except (AssertionError, ValueError) as error:
        if form.image_size == preprocessing(name).image_size:
            raise
        raise wrong_image_size(f"timm:{name}", form.image_size, preprocessing(name).image_size) from error
    return model


def _explain(name: str, form: Form, refusal: str) -> None:
    """Raise the error that a user can mend, if it is the recipe's options that the model refuses."""
    if "'img_size'" in refusal:
        raise wrong_image_size(f"timm:{name}", form.image_size, preprocessing(name).image_size)
    for argument, key in _KEYS.items():
        if f"'{argument}'" in refusal:
            raise no_such_option(f"timm:{name}", key, f"leave {key} out")
