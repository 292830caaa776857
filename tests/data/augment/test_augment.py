"""Augmentation by name, and its one promise: (seed, epoch, index) decide, and nothing else."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from toolkit.data.augment.albumentations_pipeline import AugmentPipeline
from toolkit.data.augment.augment import Augment, build_transform, preset_steps, steps_of
from toolkit.data.preprocess import Preprocess
from toolkit.errors import ExitCode, VtkError
from toolkit.types.data import SampleIndex

ADAPTER: TypeAdapter[Any] = TypeAdapter(Augment)
SMALL = Preprocess(height=48, width=40, resize=56)


def photograph() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    return cv2.resize(coarse, (120, 90), interpolation=cv2.INTER_CUBIC)


def pipeline(augment: Any, preprocess: Preprocess = SMALL) -> AugmentPipeline:
    chosen = ADAPTER.validate_json(json.dumps(augment))
    return AugmentPipeline(steps_of(chosen, preprocess.height, preprocess.width, small=False), preprocess)


def sample(index: int, epoch: int = 0, seed: int = 0) -> SampleIndex:
    return SampleIndex(index, seed=seed, epoch=epoch)


EVERY_KIND = [
    "light",
    "standard",
    "strong",
    [{"name": "HorizontalFlip", "p": 0.5}, {"name": "GaussNoise", "p": 1.0}],
    [{"name": "OneOf", "p": 1.0, "transforms": [{"name": "MotionBlur", "p": 1.0}, {"name": "GridDropout", "p": 1.0}]}],
]


@pytest.mark.parametrize("augment", EVERY_KIND, ids=str)
def test_a_sample_is_the_same_whatever_came_before_and_whoever_asks(augment: Any) -> None:
    image = photograph()
    samples = [sample(i, epoch) for epoch in range(2) for i in range(12)]
    one = pipeline(augment)
    forwards = {(int(s), s.epoch): one(image, s) for s in samples}
    other = pickle.loads(pickle.dumps(one))
    for s in reversed(samples):
        assert np.array_equal(other(image, s), forwards[int(s), s.epoch])
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda s: one(image, s), samples * 4))
    for s, result in zip(samples * 4, results, strict=True):
        assert np.array_equal(result, forwards[int(s), s.epoch])
    assert all(result.shape == SMALL.shape and result.dtype == np.uint8 for result in results)


@pytest.mark.parametrize("augment", EVERY_KIND, ids=str)
def test_seed_epoch_and_index_each_make_a_difference(augment: Any) -> None:
    run, image = pipeline(augment), photograph()

    def pictures(**fixed: int) -> np.ndarray:
        return np.stack([run(image, sample(i, **fixed)) for i in range(8)])

    base = pictures()
    assert not np.array_equal(base, pictures(epoch=1))
    assert not np.array_equal(base, pictures(seed=1))
    assert len({picture.tobytes() for picture in base}) > 1


def test_the_picture_itself_is_left_alone() -> None:
    image = photograph()
    before = image.copy()
    for augment in EVERY_KIND:
        for index in range(10):
            pipeline(augment)(image, sample(index))
    assert np.array_equal(image, before)


def test_standard_is_the_cats_and_dogs_chain() -> None:
    steps = preset_steps("standard", 224, 224)
    assert [step["name"] for step in steps] == ["RandomResizedCrop", "HorizontalFlip", "Rotate", "ColorJitter"]
    assert steps[0]["scale"] == [0.08, 1.0]
    assert steps[1]["p"] == 0.5
    assert (steps[2]["limit"], steps[2]["p"]) == (10, 1.0)
    jitter = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.1, "p": 1.0}
    assert steps[3] == {"name": "ColorJitter", **jitter}


def test_light_never_mirrors() -> None:
    assert "HorizontalFlip" not in str(preset_steps("light", 224, 224)) + str(preset_steps("light", 28, 28, small=True))
    assert preset_steps("none", 224, 224) == []


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ([{"name": "HorizontalFlop"}], "no albumentations transform 'HorizontalFlop'; did you mean 'HorizontalFlip'"),
        ([{"name": "os.system"}], "no albumentations transform 'os.system'"),
        ([{"name": "Lambda"}], "no albumentations transform 'Lambda'"),
        ([{"name": "Rotate", "limt": 3}], "Rotate has no parameter 'limt'; did you mean 'limit'"),
        ([{"name": "Rotate", "limit": "far"}], "Rotate: limit"),
        ([{"name": "HorizontalFlip", "p": 3}], "HorizontalFlip: p"),
        ([{"name": "OneOf"}], "OneOf needs `transforms`"),
        ([{"name": "OneOf", "transforms": [{"name": "Blurr"}]}], "did you mean 'Blur'"),
        ([{"name": "RandomCrop"}], "RandomCrop"),
        ([{"name": "MixUp"}], "no albumentations transform 'MixUp'|cannot be used here"),
        ([{"p": 0.5}], "name"),
        ([{"name": "Pad", "padding": 10**12}], r"Pad: numbers must lie within ±10,000, found 1000000000000"),
        ([{"name": "Affine", "scale": [0.5, 1e308]}], r"Affine: numbers must lie within ±10,000, found 1e\+308"),
        ([{"name": "OneOf", "transforms": [{"name": "Blur", "blur_limit": 10**6}]}], "numbers must lie within"),
        ([{"name": "NoOp"}] * 101, "at most 100 items"),
        ([{"name": "OneOf", "transforms": [{"name": "NoOp"}] * 100}], "OneOf holds more than 100 steps"),
        ("stong", "standard"),
    ],
)
def test_mistakes_are_named(augment: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ADAPTER.validate_python(augment)


def test_every_transform_of_the_presets_exists() -> None:
    for preset in ("light", "standard", "strong"):
        for small in (False, True):
            for step in preset_steps(preset, 32, 32, small=small):
                build_transform(step)


def test_steps_that_leave_uint8_are_refused() -> None:
    with pytest.raises(VtkError, match="float32; they must stay uint8") as caught:
        pipeline([{"name": "Normalize"}])(photograph(), sample(0))
    assert caught.value.code == ExitCode.RECIPE


def test_steps_that_do_not_fit_a_picture_say_which() -> None:
    run = pipeline([{"name": "RandomCrop", "height": 500, "width": 500}])
    with pytest.raises(VtkError, match="picture of 120 x 90 pixels") as caught:
        run(photograph(), sample(0))
    assert "RandomCrop" in str(caught.value.hint)


def test_pictures_of_another_size_are_seen_as_in_evaluation() -> None:
    run = pipeline([{"name": "HorizontalFlip", "p": 1.0}])
    assert np.array_equal(run(photograph(), sample(0)), SMALL.view(np.ascontiguousarray(photograph()[:, ::-1])))


def test_grey_pictures_pass_through_colour_transforms() -> None:
    grey = Preprocess(height=48, width=40, resize=56, channels=1)
    run = pipeline("strong", grey)
    assert {run(photograph()[..., :1].copy(), sample(i)).shape for i in range(30)} == {(48, 40, 1)}


def test_importing_albumentations_asks_no_network() -> None:
    code = (
        "import sys, socket\n"
        "def refuse(*a, **k): raise SystemExit('network')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "import toolkit.data.augment.albumentations_pipeline\n"
        "assert 'albumentations' not in sys.modules\n"
        "from toolkit.data.augment.augment import import_albumentations\n"
        "import_albumentations()\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "NO_ALBUMENTATIONS_UPDATE"}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=environment)
