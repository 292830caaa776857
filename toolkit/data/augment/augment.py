"""How a recipe names augmentation: a preset, or any albumentations transforms with their parameters."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from toolkit.errors import suggest
from toolkit.section import Section
from toolkit.system.environ import restore_environment

__all__ = ["Augment", "AugmentStep", "Preset", "build_transform", "preset_steps"]

Steps = list[dict[str, Any]]
Preset = Literal["none", "light", "standard", "strong"]

MOST_STEPS = 100
LARGEST_NUMBER = 10_000
_COMPOSITES = ("OneOf", "SomeOf", "RandomOrder", "Sequential", "OneOrOther")
_NOT_BY_NAME = frozenset({"BasicTransform", "DualTransform", "ImageOnlyTransform", "Transform3D", "Lambda"})


class AugmentStep(Section):
    """One albumentations transform by its class name; all other keys are its parameters.

    ``{name: HorizontalFlip, p: 0.5}``. Composites such as ``OneOf`` take a list of steps as ``transforms``.
    """

    model_config = ConfigDict(extra="allow")

    name: str = Field(description="Class name in albumentations, e.g. `HorizontalFlip`.")

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        if _count(self.as_step()) > MOST_STEPS:
            raise ValueError(f"{self.name} holds more than {MOST_STEPS} steps")
        for number in _numbers(self.as_step()):
            if abs(number) > LARGEST_NUMBER:
                raise ValueError(f"{self.name}: numbers must lie within ±{LARGEST_NUMBER:,}, found {number!r}")
        build_transform(self.as_step())
        return self

    def as_step(self) -> dict[str, Any]:
        """Name and parameters as a plain mapping."""
        return {"name": self.name, **(self.model_extra or {})}


Augment = Annotated[
    Preset | Annotated[list[AugmentStep], Field(max_length=MOST_STEPS)],
    Field(
        description="`none`; `light`: crops, no mirroring, safe for digits and letters; `standard`: crop, mirror, "
        "rotation of ±10°, colour jitter; `strong`: more, and one of a dozen distortions; or a list of albumentations "
        "transforms by name with their parameters, which mean what they mean in albumentations whatever else is in the "
        "list: to the bit, or within 4 grey levels (mean over a photograph) for a `RandomResizedCrop` with "
        "`area_for_downscale`, which reads large JPEGs no further than it needs."
    ),
]
"""What a recipe may write under ``augment``."""


def steps_of(augment: Preset | Sequence[AugmentStep], height: int, width: int, *, small: bool) -> Steps:
    """The steps of a preset or of a recipe's own list.

    Args:
        augment: as in the recipe.
        height: rows of the model's input.
        width: columns of it.
        small: pictures in memory that already have the model's size: they are shifted instead of cropped at random.
    """
    if isinstance(augment, str):
        return preset_steps(augment, height, width, small=small)
    return [step.as_step() for step in augment]


def preset_steps(preset: Preset, height: int, width: int, *, small: bool = False) -> Steps:
    """What a preset stands for."""
    if preset == "none":
        return []
    crop = _shift(height, width) if small else [_crop(height, width, 0.5 if preset == "light" else 0.08)]
    if preset == "light":
        return crop
    flip = {"name": "HorizontalFlip", "p": 0.5}
    if small:
        return [flip, *crop] if preset == "standard" else [flip, *crop, *_distortions(height)]
    if preset == "standard":
        return [*crop, flip, _rotate(10), _jitter(0.2, 0.1)]
    return [*crop, flip, _jitter(0.4, 0.1), *_distortions(height)]


def _crop(height: int, width: int, smallest: float) -> dict[str, Any]:
    # Area averaging where the crop is larger than the input: linear sampling alone would skip pixels.
    return {
        "name": "RandomResizedCrop",
        "size": [height, width],
        "scale": [smallest, 1.0],
        "area_for_downscale": "image",
    }


def _shift(height: int, width: int) -> Steps:
    pad = max(1, round(min(height, width) / 8))
    return [{"name": "Pad", "padding": pad}, {"name": "RandomCrop", "height": height, "width": width}]


def _rotate(limit: float) -> dict[str, Any]:
    return {"name": "Rotate", "limit": limit, "p": 1.0}


def _jitter(amount: float, hue: float) -> dict[str, Any]:
    amounts = dict.fromkeys(("brightness", "contrast", "saturation"), amount)
    return {"name": "ColorJitter", **amounts, "hue": hue, "p": 1.0}


def _distortions(height: int) -> Steps:
    """One of a dozen at a strength drawn anew, in the manner of TrivialAugment (Müller and Hutter, 2021)."""
    choices: Steps = [
        {"name": "NoOp"},
        _rotate(30),
        {"name": "Affine", "shear": {"x": [-20, 20], "y": [0, 0]}},
        {"name": "Affine", "shear": {"x": [0, 0], "y": [-20, 20]}},
        {"name": "Affine", "translate_percent": {"x": [-0.3, 0.3], "y": [-0.3, 0.3]}},
        _jitter(0.8, 0.0),
        {"name": "Posterize", "num_bits": [3, 7]},
        {"name": "Solarize", "threshold_range": [0.4, 1.0]},
        {"name": "Equalize"},
        {"name": "AutoContrast"},
        {"name": "Sharpen"},
        {"name": "ToGray"},
    ]
    hole = [0.1, 0.3]
    erase = {
        "name": "CoarseDropout",
        "num_holes_range": [1, 1],
        "hole_height_range": hole,
        "hole_width_range": hole,
        "p": 0.25,
    }
    return [{"name": "OneOf", "transforms": [{"p": 1.0, **choice} for choice in choices], "p": 1.0}, erase]


def build_transform(step: Mapping[str, Any]) -> Any:
    """The albumentations object that a step names.

    Raises:
        ValueError: unknown name or parameter (with the nearest known one), or a value that does not fit.
    """
    parameters = {key: value for key, value in step.items() if key != "name"}
    name = step.get("name")
    known = _registry()
    if name not in known:
        raise ValueError(f"there is no albumentations transform {name!r}{_meant(str(name), known)}")
    if name in _COMPOSITES:
        inner = parameters.get("transforms")
        if not isinstance(inner, list) or not all(isinstance(part, Mapping) for part in inner):
            raise ValueError(f"{name} needs `transforms`, a list of steps")
        parameters["transforms"] = [build_transform(part) for part in inner]
    else:
        _check_parameters(name, known[name], parameters)
    try:
        transform = known[name](**{key: _tupled(value) for key, value in parameters.items()})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {_readable(error)}") from None
    if getattr(transform, "targets_as_params", None):
        needs = ", ".join(transform.targets_as_params)
        raise ValueError(f"{name} needs more than the picture itself ({needs}) and cannot be used here")
    return transform


@cache
def _registry() -> dict[str, Any]:
    """albumentations' own transforms by class name; nothing is ever imported by a recipe's word."""
    albumentations = import_albumentations()
    base = albumentations.BasicTransform
    found = {
        name: value
        for name, value in vars(albumentations).items()
        if isinstance(value, type) and issubclass(value, base) and name not in _NOT_BY_NAME
    }
    return found | {name: getattr(albumentations, name) for name in _COMPOSITES}


def import_albumentations() -> Any:
    """The library, which otherwise asks the network for updates as it is imported."""
    before = dict(os.environ)
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    try:
        return importlib.import_module("albumentations")
    finally:
        restore_environment(before)


def _count(step: Any) -> int:
    """How many steps a step and those inside it are."""
    inner = step.get("transforms") if isinstance(step, Mapping) else None
    return 1 + (sum(map(_count, inner)) if isinstance(inner, list) else 0)


def _numbers(value: Any) -> Iterator[float]:
    """Every number in a step's parameters; albumentations puts no upper bound on most of them."""
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, list | Mapping):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _numbers(part)


def _check_parameters(name: str, transform: Any, parameters: Mapping[str, Any]) -> None:
    import inspect

    accepted = [key for key in inspect.signature(transform.__init__).parameters if key != "self"]
    for key in parameters:
        if key not in accepted:
            near = _meant(key, accepted) or f"; it takes {', '.join(accepted)}"
            raise ValueError(f"{name} has no parameter {key!r}{near}")


def _meant(word: str, known: Iterable[str]) -> str:
    meant = suggest(word, known, 1)
    return f"; {meant}" if meant else ""


def _tupled(value: Any) -> Any:
    """Lists as tuples: YAML has no tuples, albumentations' schemas want them."""
    if isinstance(value, list) and all(isinstance(part, int | float | str | list) for part in value):
        return tuple(_tupled(part) for part in value)
    if isinstance(value, dict):
        return {key: _tupled(part) for key, part in value.items()}
    return value


def _readable(error: Exception) -> str:
    """pydantic's report without its addresses and types."""
    lines = [line.strip() for line in str(error).splitlines()]
    kept = [line.split(" [type=")[0] for line in lines if not line.startswith("For further information")]
    return "; ".join(kept[1:]) if len(kept) > 1 and "validation error" in kept[0] else kept[0]
