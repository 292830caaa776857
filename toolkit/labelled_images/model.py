"""The network that a recipe names, and which of its parameters train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.errors import ExitCode, VtkError
from toolkit.labelled_images.model_sections import BackboneModel, CnnModel
from toolkit.system.home import expanded

if TYPE_CHECKING:
    from torch import nn

    from toolkit.labelled_images.model_sections import ImageStage, ModelChoice
    from toolkit.types.data import Data

__all__ = ["build_model", "planned_download", "set_trainable"]


def build_model(section: ModelChoice, data: Data) -> nn.Module:
    """The network for the classes, channels and image size in ``data.meta``; scratch weights if they come later.

    Raises:
        VtkError: they make no sense, or the network cannot be had.
    """
    from toolkit.inference.bundle_schema import image_meta

    image_meta(data.meta)
    if isinstance(section, CnnModel):
        return _build_cnn(section, data.meta)
    reads = not data.restored or (data.checked and planned_download(section) is None)
    return _build_backbone(section, data.meta, reads=reads)


def _build_cnn(section: CnnModel, meta: dict[str, Any]) -> nn.Module:
    from toolkit.models.backbones import UNTRAINED
    from toolkit.models.cnn import Cnn

    model = Cnn(
        section.form(),
        in_channels=meta["channels"],
        image_size=meta["image_size"],
        num_classes=len(meta["classes"]),
    )
    if section.init == "he":
        from toolkit.models.initialise import he_normal

        he_normal(model, head=model.get_classifier())
    model.start = UNTRAINED  # type: ignore[assignment]
    return model


def _build_backbone(section: BackboneModel, meta: dict[str, Any], *, reads: bool) -> nn.Module:
    from toolkit.models.backbones import create

    if meta["channels"] != 3:
        raise VtkError(
            "backbones take colour images, and the recipe asks for grey ones",
            place="data.grey",
            hint="set data.grey: false; grey pictures then come as three equal channels",
            code=ExitCode.RECIPE,
        )
    file = section.weights_file
    built = create(
        section.arch,
        num_classes=len(meta["classes"]),
        image_size=meta["image_size"],
        pretrained=section.wants_pretrained if reads else False,
        weights=expanded(file.file) if file is not None and reads else None,
        match="names" if file is None else file.match,
        head=section.head,
        dropout=section.dropout,
        drop_path=section.drop_path,
    )
    # The run tells the user what a model's notes say.
    built.model.notes = built.notes  # type: ignore[assignment]
    built.model.start = built.start  # type: ignore[assignment]
    return built.model


def set_trainable(model: nn.Module, section: ModelChoice, stage: ImageStage | None) -> None:
    """Let those parameters train that the stage says, or else the model section.

    Raises:
        VtkError: for a pattern that fits no parameter.
    """
    from toolkit.models.freeze import matching, train_all, train_head, train_only

    chosen = stage.train if stage is not None and stage.train is not None else _usual(section)
    if chosen == "all":
        train_all(model)
    elif chosen == "head":
        train_head(model)
    else:
        place = f"stages[{stage.name}].train" if stage is not None and stage.name else "stages.train"
        train_only(model, matching(model, chosen, place=place))


def _usual(section: ModelChoice) -> str:
    return "head" if isinstance(section, BackboneModel) and section.freeze == "backbone" else "all"


def planned_download(section: ModelChoice) -> str | None:
    """One line about weights that building the model would fetch, or None."""
    if not isinstance(section, BackboneModel) or section.weights is not None or not section.wants_pretrained:
        return None
    from toolkit.models.backbones import published

    found = published(section.arch)
    if found is None or found.cached is not None:
        return None
    size = f", {found.megabytes:.0f} MB" if found.megabytes else ""
    return f"pretrained weights {found.source}{size}"
