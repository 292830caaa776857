"""What plugin authors read files with: the built-in decoder's pixels, and masks as the numbers they hold."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from toolkit import ExitCode, VtkError, find_images, read_image, read_mask
from toolkit.data.io.decode import decode

ORIENTATIONS = range(1, 9)


def labels(most: int, kind: Any = np.uint8) -> np.ndarray:
    """Numbers from 0 to ``most`` without any symmetry, (24, 32)."""
    y, x = np.mgrid[0:24, 0:32]
    return ((5 * x + 11 * y + x * y) % (most + 1)).astype(kind)


def in_palette(numbers: np.ndarray) -> Image.Image:
    """A palette whose colours say nothing of the numbers; two places have the same colour, as labelling tools do."""
    image = Image.fromarray(numbers, "L").convert("P")
    image.putdata(numbers.ravel().tolist())
    image.putpalette([value for i in range(256) for value in (200 - i // 2, 7, i // 2)])
    return image


def png(tmp_path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(tmp_path / "mask.png", **options)
    return tmp_path / "mask.png"


def test_pixels_are_the_built_in_decoders(golden_name: str, golden: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / golden_name).write_bytes(golden[golden_name].data)
    pixels = read_image(tmp_path / golden_name)
    assert np.array_equal(pixels, decode(tmp_path / golden_name))
    assert (pixels.dtype, pixels.flags.c_contiguous, pixels.flags.writeable) == (np.uint8, True, True)
    assert np.abs(pixels.astype(int) - golden[golden_name].pixels).mean() <= golden[golden_name].tolerance


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_stored_rows_and_columns_are_the_same_whatever_the_orientation(
    orientation: int, suffix: str, golden: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(golden[f"exif_{orientation}.{suffix}"].data)
    stored = golden[f"exif_1.{suffix}"]
    assert np.abs(read_image(path, upright=False).astype(int) - stored.pixels).mean() <= stored.tolerance


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_mask_turns_with_its_picture(orientation: int, suffix: str, compression: str | None, tmp_path: Path) -> None:
    numbers, exif = labels(20), Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"compression": compression} if suffix == "tif" else {}
    Image.fromarray(numbers).save(tmp_path / f"mask.{suffix}", exif=exif, **options)
    Image.fromarray(np.repeat(numbers[..., None], 3, 2)).save(tmp_path / f"image.{suffix}", exif=exif, **options)
    for upright in (True, False):
        image = read_image(tmp_path / f"image.{suffix}", upright=upright)
        assert np.array_equal(read_mask(tmp_path / f"mask.{suffix}", upright=upright), image[..., 0])
    assert np.array_equal(read_mask(tmp_path / f"mask.{suffix}", upright=False), numbers)


@pytest.mark.parametrize("suffix", ["png", "tif", "gif"])
@pytest.mark.parametrize("most", [1, 3, 15, 255])
def test_a_palettes_places_and_not_its_colours(most: int, suffix: str, tmp_path: Path) -> None:
    options = {"optimize": False} if suffix == "gif" else {}  # else Pillow numbers the colours anew
    in_palette(labels(most)).save(tmp_path / f"mask.{suffix}", **options)
    found = read_mask(tmp_path / f"mask.{suffix}")
    assert found.dtype == np.uint8
    assert found.flags.writeable
    assert np.array_equal(found, labels(most))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_greys_of_few_bits_are_not_spread(bits: int, tmp_path: Path) -> None:
    numbers = labels(2**bits - 1)
    for name, data in (("mask.png", few_bits_png(numbers, bits)), ("mask.tif", few_bits_tiff(numbers, bits))):
        (tmp_path / name).write_bytes(data)
        assert np.array_equal(read_mask(tmp_path / name), numbers), name


def packed(numbers: np.ndarray, bits: int) -> np.ndarray:
    """Rows of so many bits a number, as PNG and TIFF lay them out; the width fills whole bytes."""
    each = np.unpackbits(numbers[..., None], axis=2)[..., 8 - bits :]
    return np.packbits(each.reshape(len(numbers), -1), axis=1)


def few_bits_png(numbers: np.ndarray, bits: int) -> bytes:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = numbers.shape
    rows = b"".join(b"\0" + row.tobytes() for row in packed(numbers, bits))
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def few_bits_tiff(numbers: np.ndarray, bits: int, photometric: int = 1) -> bytes:
    import struct

    height, width = numbers.shape
    body = packed(numbers, bits).tobytes()
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8)]
    tags += [(277, 1), (278, height), (279, len(body))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory


def test_sixteen_bits_stay_sixteen(tmp_path: Path) -> None:
    numbers = labels(60_000, np.uint16)
    for suffix in ("png", "tif"):
        Image.fromarray(numbers).save(tmp_path / f"mask.{suffix}")
        found = read_mask(tmp_path / f"mask.{suffix}")
        assert found.dtype == np.uint16
        assert np.array_equal(found, numbers)


def test_transparent_numbers_count(tmp_path: Path) -> None:
    numbers = labels(5)
    assert np.array_equal(read_mask(png(tmp_path, in_palette(numbers), transparency=2)), numbers)
    assert np.array_equal(read_mask(png(tmp_path, Image.fromarray(numbers), transparency=2)), numbers)


@pytest.mark.parametrize(
    ("name", "image", "said"),
    [
        ("a.png", Image.new("RGB", (4, 4)), "one channel of at most 16 bits, and this has RGB"),
        ("a.png", Image.new("LA", (4, 4)), "this has LA"),
        ("a.tif", Image.new("I", (4, 4)), "this has I"),
        ("a.tif", Image.new("F", (4, 4)), "this has F"),
        ("a.jpg", Image.new("L", (4, 4)), "a mask is a PNG, GIF or TIFF, and this is JPEG"),
        ("a.webp", Image.new("RGB", (4, 4)), "this is WEBP"),
    ],
)
def test_what_cannot_hold_labels_is_refused(name: str, image: Image.Image, said: str, tmp_path: Path) -> None:
    image.save(tmp_path / name)
    with pytest.raises(VtkError, match=said) as caught:
        read_mask(tmp_path / name)
    assert (caught.value.place, caught.value.code) == (str(tmp_path / name), ExitCode.DATA)
    assert caught.value.hint


def test_numbers_that_a_tiff_changes_are_refused(tmp_path: Path) -> None:
    Image.fromarray(labels(9)).save(tmp_path / "a.tif", compression="jpeg")
    with pytest.raises(VtkError, match="compression changes numbers"):
        read_mask(tmp_path / "a.tif")
    (tmp_path / "b.tif").write_bytes(few_bits_tiff(labels(9), 8, photometric=0))
    with pytest.raises(VtkError, match="count down from white"):
        read_mask(tmp_path / "b.tif")


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_one_kind_of_error_for_whatever_is_wrong(read: Any, tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(labels(200)).save(stream, "PNG")
    files = {"empty.png": b"", "text.png": b"class,count\n" * 20, "half.png": stream.getvalue()[:-40]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(VtkError) as caught:
            read(tmp_path / name)
        assert (caught.value.place, caught.value.code) == (str(tmp_path / name), ExitCode.DATA)
    with pytest.raises(VtkError) as caught:
        read(tmp_path / "missing.png")
    assert caught.value.code == ExitCode.NO_INPUT


def test_pictures_are_found_by_name_in_order(tmp_path: Path) -> None:
    names = ["b.PNG", "a.jpg", "deep/er/c.tiff", "notes.txt", ".hidden.png", ".cache/d.png", "__MACOSX/e.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_images(tmp_path) == [tmp_path / name for name in ("a.jpg", "b.PNG", "deep/er/c.tiff")]
    assert find_images(str(tmp_path), nested=False) == [tmp_path / "a.jpg", tmp_path / "b.PNG"]


@pytest.mark.parametrize(("folder", "said"), [("nowhere", "no such folder"), ("empty", "there is no picture")])
def test_a_folder_without_pictures(folder: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(VtkError, match=said) as caught:
        find_images(tmp_path / folder)
    assert caught.value.code == ExitCode.NO_INPUT
