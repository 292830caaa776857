"""What tells whether the samples that a source found are still what they were when a run began."""

from __future__ import annotations

from toolkit.data.sources.index import Found, ImageArrays
from toolkit.types.stamps import Stamps

__all__ = ["stamps_of"]


def stamps_of(found: Found) -> dict[str, Stamps]:
    """The samples of each split, named as in the split's manifest."""
    stamps = {}
    for split in ("train", "val", "test"):
        index = getattr(found, split)
        if index is None:
            continue
        if isinstance(index, ImageArrays):
            stamps[split] = Stamps(index.keys, pixels=index.images, labels=index.targets)
        else:
            stamps[split] = Stamps(index.keys, index.files, labels=index.targets)
    return stamps
