"""Labels in the file names, as in ``cat.0.jpg``."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from toolkit.data.expressions import require_group
from toolkit.data.io.scan import scan
from toolkit.data.sources.index import Found, ImageFiles, class_map, natural_key
from toolkit.data.sources.missing import existing_folder, listed
from toolkit.data.sources.source import Source
from toolkit.data.sources.unicode_forms import composed
from toolkit.errors import VtkError

if TYPE_CHECKING:
    from toolkit.types.survey import Survey

__all__ = ["Pattern"]

_UNMATCHED = "its name does not match"


class Pattern(Source):
    """One folder of pictures whose names hold their labels."""

    name: Literal["pattern"]
    root: str = Field(description="The folder; relative to the working directory.")
    pattern: str = Field(
        description="Regular expression for the whole file name, with a group `label`: "
        r"`(?P<label>cat|dog)\.\d+\.jpg`."
    )
    unmatched: Literal["error", "ignore"] = Field(
        "error", description="What to do with pictures whose names do not match."
    )
    nested: bool = Field(False, description="Look into sub-folders too.")
    obtain: str | None = Field(None, description="How to get the data; shown where they are missing.")

    @field_validator("pattern")
    @classmethod
    def _has_label(cls, pattern: str) -> str:
        return require_group(pattern, "label", "is the label")

    def load(self) -> Found:
        root = existing_folder(self.root, self.obtain)
        pictures, others = scan(root, nested=self.nested)
        if not pictures:
            held = f"; these files are not pictures: {listed(others)}" if others else ""
            raise VtkError(f"no pictures in this folder{held}", place=str(root), hint=self.obtain)
        expression = re.compile(self.pattern)
        paths: list[str] = []
        labels: list[str] = []
        unmatched: list[str] = []
        for path in sorted(pictures, key=natural_key):
            name = path.rpartition("/")[2]
            match = expression.fullmatch(name) or expression.fullmatch(composed(name))
            if match is not None and match["label"]:
                paths.append(path)
                labels.append(sys.intern(composed(match["label"])))
            else:
                unmatched.append(path)
        unmatched.sort()
        if unmatched and (self.unmatched == "error" or not labels):
            raise VtkError(
                f"{len(unmatched)} of {len(pictures)} file names do not match {self.pattern}: {listed(unmatched)}",
                place=str(root),
                hint="mend the pattern, or set `unmatched: ignore` to leave these files out",
            )
        ignored = [(path, _UNMATCHED) for path in unmatched]
        ignored += [(path, "not a picture") for path in others]
        targets, classes = class_map(labels)
        return Found.aligned(ImageFiles(root, paths, targets, classes, tuple(ignored)))

    def survey(self) -> Survey:
        """Every picture whose name matches; those that do not are a fault."""
        from toolkit.data.sources.listing import unlabelled
        from toolkit.data.sources.survey import survey_of

        found = self.model_copy(update={"unmatched": "ignore"}).load()
        ignored = getattr(found.train, "ignored", ())
        unmatched = [path for path, reason in ignored if reason == _UNMATCHED]
        remedy = "Their names do not match the pattern. Mend the pattern, rename them, or set `unmatched: ignore`."
        return survey_of(found, self.place, unlabelled(unmatched, remedy) if self.unmatched == "error" else [])
