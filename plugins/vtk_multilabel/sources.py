"""Where images with any number of labels come from."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from toolkit.bounds import Seed
from toolkit.data import Digits, Found, ImageArrays, Source, stratified
from vtk_multilabel.csv_labels import CsvLabels

__all__ = ["DigitScenes", "SourceChoice"]

Count = Annotated[int, Field(ge=1, le=1_000_000)]

# Shares of the scans that only validation, and only test scenes are made of.
_HELD_OUT = {"val": 0.15, "test": 0.15}


class DigitScenes(Source):
    """Scenes of one to four real digit scans, scaled, placed and overlapping; the labels are the digits in them.

    Made of scikit-learn's 1,797 scans, with nothing to download. No scan is in the scenes of two splits.
    """

    name: Literal["digit_scenes"]
    size: Annotated[int, Field(ge=24, le=512)] = Field(40, description="Side of the scenes in pixels.")
    train: Count = Field(6000, description="Scenes for training.")
    val: Count = Field(1000, description="Scenes for validation.")
    test: Count = Field(1500, description="Scenes for the final test.")
    seed: Seed = Field(0, description="Equal seeds compose equal scenes.")

    def load(self) -> Found:
        from vtk_multilabel.scenes import compose

        scans = Digits(name="digits", size=8).load().train
        assert isinstance(scans, ImageArrays)
        assert scans.targets is not None
        pools = stratified(scans.targets, _HELD_OUT, self.seed)
        parts: dict[str, ImageArrays] = {}
        for number, (part, count) in enumerate((("train", self.train), ("val", self.val), ("test", self.test))):
            pool = scans.take(pools[part])
            assert pool.targets is not None
            seed = int(np.random.default_rng([self.seed, number]).integers(2**32))
            made = compose(pool.images, pool.targets, count=count, size=self.size, seed=seed)
            parts[part] = ImageArrays(made.images, made.labels, scans.classes, part)
        return Found(**parts)


SourceChoice = Annotated[CsvLabels | DigitScenes, Field(discriminator="name")]
