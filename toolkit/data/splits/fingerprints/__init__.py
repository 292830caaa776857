"""Telling pictures apart: exact and near duplicates among files.

    labels = duplicate_groups(paths, near=True)      # int64 (n,): equal labels are the same picture

``stages`` finds equal files with little reading, and ``kept`` remembers what was read; ``hashes`` says what of a
picture is kept, ``neighbours`` finds close hashes among many, ``groups`` joins them.
"""

from __future__ import annotations

from toolkit.data.splits.fingerprints.groups import duplicate_arrays, duplicate_groups, equal_groups, look_groups
from toolkit.data.splits.fingerprints.hashes import Look, content_hash, look, perceptual_hash
from toolkit.data.splits.fingerprints.kept import Kept
from toolkit.data.splits.fingerprints.neighbours import near_pairs
from toolkit.data.splits.fingerprints.stages import equal_files

__all__ = [
    "Kept",
    "Look",
    "content_hash",
    "duplicate_arrays",
    "duplicate_groups",
    "equal_files",
    "equal_groups",
    "look",
    "look_groups",
    "near_pairs",
    "perceptual_hash",
]
