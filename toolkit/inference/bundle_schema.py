"""The form of a bundle's facts and of what they say of images. A right checksum makes no sense of nonsense."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from toolkit.data.preprocess import Preprocess
from toolkit.errors import VtkError

__all__ = ["LARGEST", "ImageMeta", "LabelMeta", "image_meta", "label_meta", "require_form"]

LARGEST = 256 << 20
"""Bytes of the largest ``bundle.json`` that is read."""

Form = TypeVar("Form", bound=BaseModel)
_LONGEST = 1_000_000
_ANEW = "copy it again from where it was made, or train again"


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", protected_namespaces=())


class _File(_Form):
    bytes: Annotated[int, Field(ge=0)]
    sha256: str


class BundleForm(_Form):
    """``bundle.json``."""

    format: Annotated[int, Field(ge=1)]
    task: Annotated[str, Field(min_length=1, max_length=200)]
    meta: dict[str, Any]
    recipe: dict[str, Any]
    versions: dict[str, str | None]
    fingerprint: str | None
    weights_sha256: str
    facts_sha256: str
    run_files: dict[str, _File] = {}
    start: str | None = None


def _preprocess(values: Any) -> Any:
    return Preprocess.from_json(values) if isinstance(values, dict) else values


class ImageMeta(_Form):
    """What tasks on labelled images note in ``meta``."""

    classes: Annotated[list[str], Field(min_length=1, max_length=_LONGEST)]
    image_size: Annotated[int, Field(ge=1, le=8192)]
    channels: Literal[1, 3]
    preprocess: Annotated[Preprocess | None, BeforeValidator(_preprocess)] = None


def require_form(facts: dict[str, Any], place: str) -> None:
    """Refuse facts that are no bundle's.

    Raises:
        VtkError: they are not (exit code 65).
    """
    _validated(BundleForm, facts, place)


class LabelMeta(ImageMeta):
    """What tasks with several labels for an image note beside that."""

    thresholds: list[float]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.thresholds) != len(self.classes):
            raise ValueError("thresholds: each label needs one")
        return self


def label_meta(meta: dict[str, Any], place: str | None = None) -> LabelMeta:
    """Labels and thresholds out of a ``meta``; raises as :func:`image_meta` does."""
    return _validated(LabelMeta, meta, place)


def image_meta(meta: dict[str, Any], place: str | None = None) -> ImageMeta:
    """Classes, sizes and channels out of a ``meta``.

    Raises:
        VtkError: they are missing or make no sense (exit code 65).
    """
    return _validated(ImageMeta, meta, place)


def _validated(form: type[Form], values: Any, place: str | None) -> Form:
    try:
        return form.model_validate(values)
    except (ValidationError, RecursionError) as error:
        where = "nested too deeply"
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False, include_input=False)[0]
            where = f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"
        raise VtkError(f"makes no sense: {where}", place=place, hint=_ANEW) from error
