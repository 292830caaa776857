"""Duplicates among pictures: the search against brute force, the hash against its definition, groups against copies."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from toolkit.data.io.decode import decode, decode_bytes
from toolkit.data.splits.fingerprints import (
    Look,
    duplicate_arrays,
    duplicate_groups,
    equal_groups,
    look,
    look_groups,
    near_pairs,
    perceptual_hash,
)


def found(hashes: np.ndarray, distance: int) -> list[tuple[int, int]]:
    """What the search finds, as sorted pairs; a pair found twice stays twice."""
    return sorted(
        (min(a, b), max(a, b))
        for left, right in near_pairs(hashes, distance)
        for a, b in zip(left.tolist(), right.tolist(), strict=True)
    )


def by_force(hashes: np.ndarray, distance: int) -> list[tuple[int, int]]:
    values = [int(value) for value in hashes]
    return [
        (i, j)
        for i in range(len(values))
        for j in range(i + 1, len(values))
        if (values[i] ^ values[j]).bit_count() <= distance
    ]


@settings(max_examples=150, deadline=None)
@given(
    bases=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4),
    flips=st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 63), max_size=14)), max_size=40),
    distance=st.integers(0, 12),
)
def test_the_search_finds_what_brute_force_finds(bases: list[int], flips: list, distance: int) -> None:
    hashes = [bases[base % len(bases)] ^ sum(1 << bit for bit in bits) for base, bits in flips]
    array = np.array(hashes, np.uint64)
    assert found(array, distance) == by_force(array, distance)


@pytest.mark.parametrize("kept_bits", [64, 24, 9])
def test_the_search_in_crowds_of_any_density(kept_bits: int) -> None:
    rng = np.random.default_rng(kept_bits)
    hashes = rng.integers(0, 2**kept_bits, 400, dtype=np.uint64) if kept_bits < 64 else _planted(rng)
    for distance in (0, 3, 8):
        assert found(hashes, distance) == by_force(hashes, distance)


def _planted(rng: np.random.Generator) -> np.ndarray:
    hashes = rng.integers(0, 2**64, 400, dtype=np.uint64)
    hashes[100:200] = hashes[:100] ^ (np.uint64(1) << rng.integers(0, 64, 100, dtype=np.uint64))
    return hashes


def test_the_hash_is_the_sign_of_the_low_frequencies(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (32, 32), dtype=np.uint8)
    spectrum = scipy.fft.dctn(grey.astype(np.float64), norm="ortho")
    low = sorted(((v, u) for v in range(32) for u in range(32) if (v, u) != (0, 0)), key=lambda p: (p[0] + p[1], p))[
        :64
    ]
    values = np.array([spectrum[place] for place in low])
    expected = sum(1 << bit for bit, value in enumerate(values) if value > np.median(values))
    assert perceptual_hash(np.repeat(grey[..., None], 3, axis=2)) == expected


def blobs(seed: int, size: tuple[int, int] = (300, 400)) -> np.ndarray:
    """A picture of soft colours, another one for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return np.clip(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def test_copies_are_grouped_and_others_are_not(tmp_path: Path) -> None:
    picture, other = blobs(1), blobs(2)
    brighter = np.clip(picture.astype(np.float64) * 1.08, 0, 255).astype(np.uint8)
    versions: dict[str, tuple[np.ndarray, dict]] = {
        "a.jpg": (picture, {"quality": 95}),
        "poor.jpg": (picture, {"quality": 25}),
        "other.jpg": (other, {"quality": 95}),
        "small.png": (cv2.resize(picture, (133, 100), interpolation=cv2.INTER_AREA), {}),
        "large.webp": (cv2.resize(picture, (700, 525), interpolation=cv2.INTER_CUBIC), {"quality": 90}),
        "brighter.jpg": (brighter, {"quality": 90}),
        "trimmed.jpg": (picture[2:-2, 3:-3], {"quality": 90}),
    }
    for name, (pixels, options) in versions.items():
        Image.fromarray(pixels).save(tmp_path / name, **options)
    (tmp_path / "copy.jpg").write_bytes((tmp_path / "a.jpg").read_bytes())
    paths = [tmp_path / name for name in [*versions, "copy.jpg"]]
    assert duplicate_groups(paths).tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    assert duplicate_groups(paths, near=True, workers=2).tolist() == [0, 0, 2, 0, 0, 0, 0, 0]


def test_a_turned_file_is_the_picture_that_it_shows(tmp_path: Path) -> None:
    picture = blobs(3)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save(tmp_path / "a.jpg")
    Image.fromarray(np.ascontiguousarray(np.rot90(picture))).save(tmp_path / "turned.jpg", exif=exif.tobytes())
    assert duplicate_groups([tmp_path / "a.jpg", tmp_path / "turned.jpg"], near=True).tolist() == [0, 0]


def test_what_cannot_be_compared_stays_alone(tmp_path: Path) -> None:
    for name in ("empty_1.jpg", "empty_2.jpg"):
        (tmp_path / name).write_bytes(b"")
    for name, level in (("black.png", 0), ("white.png", 255), ("grey.jpg", 99)):
        Image.new("L", (50, 50), level).save(tmp_path / name)
    names = ["empty_1.jpg", "empty_2.jpg", "black.png", "white.png", "grey.jpg", "missing.jpg", "missing.jpg"]
    assert duplicate_groups([tmp_path / name for name in names], near=True).tolist() == list(range(7))


def test_different_drawings_are_different(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vtk_classification.drawn import Drawn

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    files = Drawn(name="drawn", count=120, seed=5).load().train.files  # type: ignore[union-attr]
    assert duplicate_groups(files, near=True).tolist() == list(range(120))


def test_the_same_shape_in_another_colour_is_another_picture() -> None:
    red, blue = np.full((64, 64, 3), 255, np.uint8), np.full((64, 64, 3), 255, np.uint8)
    red[10:40, 20:50] = (220, 30, 30)
    blue[10:40, 20:50] = (100, 100, 250)
    assert look_groups([look(red), look(blue)]).tolist() == [0, 1]


def test_chains_become_one_group_whatever_their_order() -> None:
    rng = np.random.default_rng(0)
    thumbnail = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    hashes = [0]
    for link in range(30):
        hashes.append(hashes[-1] ^ (0b11 << (2 * link)))
    order = rng.permutation(31)
    looks = [Look(hashes[place], thumbnail, flat=False) for place in order]
    assert look_groups(looks).tolist() == [0] * 31
    apart: list[Look | None] = [Look(2**40 - 1, thumbnail, flat=False), None, Look(0, thumbnail, flat=False)]
    assert look_groups(apart).tolist() == [0, 1, 2]


def test_groups_known_before_are_kept_and_joined() -> None:
    thumbnail = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    looks = [None, Look(5, thumbnail, flat=False), Look(7, thumbnail, flat=False), None]
    assert look_groups(looks, equal_groups(["a", "b", "c", "a"])).tolist() == [0, 1, 1, 0]
    assert look_groups(looks, equal_groups(["a", "a", "c", "d"])).tolist() == [0, 0, 0, 3]


def test_pictures_in_memory() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8), dtype=np.uint8)
    images[3] = images[1]
    assert duplicate_arrays(images).tolist() == [0, 1, 2, 1, 4]


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_pictures_in_memory_that_look_the_same(channels: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 236, (4, 6, 6, *(channels or (1,))), dtype=np.uint8)
    images = np.stack([cv2.resize(one, (48, 48)).reshape(48, 48, *channels) for one in coarse])
    images = np.concatenate([images, images[1:2] + 3, images[2:3]])
    assert duplicate_arrays(images).tolist() == [0, 1, 2, 3, 4, 2]
    assert duplicate_arrays(images, near=True).tolist() == [0, 1, 2, 3, 1, 2]


def test_a_reduced_decode_is_the_picture_in_small(tmp_path: Path) -> None:
    picture = blobs(4, (420, 520))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=95, exif=exif.tobytes())
    data = (tmp_path / "a.jpg").read_bytes()
    whole = decode(tmp_path / "a.jpg")
    for at_least, shape in ((1, (65, 53, 3)), (52, (65, 53, 3)), (100, (130, 105, 3)), (210, (260, 210, 3))):
        small = decode_bytes(data, "a.jpg", at_least=at_least)
        assert small.shape == shape
        reference = cv2.resize(whole, shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - reference).mean() < 4
    assert np.array_equal(decode_bytes(data, "a.jpg", at_least=300), whole)
