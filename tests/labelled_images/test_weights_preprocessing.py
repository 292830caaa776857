"""``resize: auto`` shows a backbone what its own library's evaluation shows it.

Stated tolerance: one grey level of 255 in any pixel, for pictures that are decoded whole.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from toolkit.data.preprocess import Preprocess
from toolkit.labelled_images.data import build_preprocess
from toolkit.labelled_images.data_sections import ImageData
from toolkit.labelled_images.model_sections import BackboneModel, CnnModel
from toolkit.models.backbones import preprocessing

SIZES = [(375, 500), (640, 427), (600, 90), (53, 71)]
TIMM = [
    "resnet50.a1_in1k",  # 0.95, bicubic
    "resnet18.tv_in1k",  # 0.875, bilinear
    "convnext_tiny.fb_in22k_ft_in1k",
    "vit_base_patch16_clip_384.openai_ft_in12k_in1k",  # squashed, then cropped
    "coat_lite_medium_384.in1k",  # squashed
    "volo_d4_448.sail_in1k",  # shown smaller than the input, in black
    "efficientnet_b0.ra_in1k",
]
BORDERED = "deepseek_vit_412m.deepseek_v4_flash_vision_exp"


def picture(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(height)
    coarse = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    noise = rng.normal(0, 12, (height, width, 3))
    return (cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) + noise).clip(0, 255).astype(np.uint8)


def auto(arch: str, size: int) -> Preprocess:
    data = ImageData(image_size=size)
    return build_preprocess(data, BackboneModel(name="backbone", arch=arch), in_memory=False)


def worst(mine: Preprocess, theirs: Any) -> int:
    """The largest difference of any pixel over pictures of several shapes."""
    found = 0
    for size in SIZES:
        image = picture(*size)
        expected = np.asarray(theirs(Image.fromarray(image)))
        assert mine(image).shape == expected.shape
        found = max(found, int(np.abs(mine(image).astype(int) - expected).max()))
    return found


def timm_evaluation(name: str, size: int | None = None) -> Any:
    import timm
    from timm.data import create_transform, resolve_data_config

    config = timm.models.get_pretrained_cfg(name).to_dict()
    args = {} if size is None else {"img_size": size}
    made = create_transform(**resolve_data_config(args, pretrained_cfg=config), normalize=False)
    return lambda image: made(image).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("name", TIMM)
def test_timm_at_the_weights_own_size(name: str) -> None:
    size = preprocessing(f"timm:{name}").image_size
    assert worst(auto(f"timm:{name}", size), timm_evaluation(name)) <= 1


@pytest.mark.parametrize("name", [TIMM[0], TIMM[3]])
def test_timm_at_another_size(name: str) -> None:
    assert worst(auto(f"timm:{name}", 160), timm_evaluation(name, 160)) <= 1


def test_timm_with_a_border() -> None:
    import timm

    if timm.models.get_pretrained_cfg(BORDERED) is None:
        pytest.skip("this timm has no model that is shown with a border")
    assert worst(auto(f"timm:{BORDERED}", 392), timm_evaluation(BORDERED)) <= 1


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet_b3", "swin_v2_t", "inception_v3", "vit_b_16"])
def test_torchvision(name: str) -> None:
    import torchvision

    preset = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    mean, std = torch.tensor(preset.mean)[:, None, None], torch.tensor(preset.std)[:, None, None]
    size = preprocessing(f"torchvision:{name}").image_size
    back = lambda image: ((preset(image) * std + mean) * 255).round().permute(1, 2, 0).numpy()  # noqa: E731
    assert worst(auto(f"torchvision:{name}", size), back) <= 1


def test_every_configuration_of_timm_is_understood() -> None:
    """Each weights' crop, mode and filter is one that preprocessing has; nothing falls back to a usual one."""
    import timm

    from toolkit.models import from_timm

    names = timm.list_models(pretrained=True)
    for name in names:
        config = timm.models.get_pretrained_cfg(name)
        wanted = from_timm.preprocessing(name)
        assert (wanted.crop_mode, wanted.interpolation) == (config.crop_mode, config.interpolation)
        fill = [0, 0, 0] if wanted.resize < wanted.image_size else None
        side = wanted.image_size
        geometry = {"resize": wanted.resize, "crop_mode": wanted.crop_mode, "interpolation": wanted.interpolation}
        Preprocess(height=side, width=side, fill=fill, **geometry)
    assert len(names) > 1000


def test_a_recipe_may_say_otherwise() -> None:
    model = BackboneModel(name="backbone", arch="timm:resnet50.a1_in1k")
    own = ImageData(image_size=160, resize=200, interpolation="area")
    assert build_preprocess(own, model, in_memory=False).model_dump(include={"resize", "interpolation"}) == {
        "resize": 200,
        "interpolation": "area",
    }
    squeezed = build_preprocess(ImageData(image_size=160, resize="squeeze"), model, in_memory=False)
    assert (squeezed.resize, squeezed.interpolation) == (None, "bicubic")


def test_a_network_of_ones_own_keeps_areas_and_eight_sevenths() -> None:
    model = CnnModel(name="cnn", preset="mnist")
    found = build_preprocess(ImageData(image_size=112), model, in_memory=False)
    assert (found.resize, found.interpolation, found.crop_mode) == (128, "area", "center")


def test_the_bundle_says_how_and_by_whom() -> None:
    written = auto("timm:resnet50.a1_in1k", 224).to_json()
    wanted = {"resize": 235, "crop_mode": "center", "interpolation": "bicubic", "library": "pillow"}
    assert {key: written[key] for key in wanted} == wanted
    assert Preprocess.from_json(written).to_json() == written
