"""Reading and writing pictures."""

from __future__ import annotations

import io
import subprocess

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageOps

from toolkit import ExitCode, VtkError
from toolkit.recipe import embedded
from vtk_style.reading import MAX_PIXELS, read_mask, read_picture
from vtk_style.writing import quantise, srgb_profile, write_picture


@pytest.fixture
def marks():
    """A small picture whose corners can be told apart."""
    pixels = np.zeros((6, 9, 3), np.uint8)
    pixels[0, 0], pixels[0, -1], pixels[-1, 0], pixels[-1, -1] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
    return pixels


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_exif_orientation_is_undone(tmp_path, marks, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(marks).save(path, exif=exif)
    stored = Image.fromarray(marks)
    stored.getexif()[0x0112] = orientation
    assert np.array_equal(read_picture(str(path)).pixels, np.asarray(ImageOps.exif_transpose(stored)))


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_survive_reading_and_writing(tmp_path, suffix, channels):
    rng = np.random.default_rng(0)
    wanted = rng.integers(0, 65536, (11, 13, channels), dtype=np.uint16)
    image = torch.from_numpy(wanted[..., :3].astype(np.float64) / 65535).permute(2, 0, 1)[None]
    alpha = torch.from_numpy(wanted[..., 3] / 65535.0) if channels == 4 else None
    path = tmp_path / f"deep.{suffix}"
    write_picture(path, image, bits=16, alpha=alpha, recipe="task: style\n")
    order = [2, 1, 0, 3][:channels]
    assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., order], wanted)
    found = read_picture(str(path))
    if channels == 3:
        assert np.array_equal(found.pixels, wanted)
    else:
        assert np.array_equal(found.alpha, wanted[..., 3])
    assert embedded.read(path) == "task: style\n"
    with Image.open(path) as picture:
        assert picture.info["icc_profile"] == srgb_profile()


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_eight_bits_carry_profile_and_recipe(tmp_path, suffix, picture):
    image = picture(40, 50)
    path = tmp_path / f"a.{suffix}"
    write_picture(path, image, recipe="task: style # Grüße\n")
    with Image.open(path) as written:
        pixels = np.asarray(written.convert("RGB"))
        assert written.info["icc_profile"] == srgb_profile()
    assert np.abs(pixels.astype(int) - quantise(image).astype(int)).max() <= (24 if suffix == "jpg" else 0)
    assert embedded.read(path) == "task: style # Grüße\n"


def test_equal_pictures_are_equal_files(tmp_path, picture):
    for name in ("a.png", "b.png"):
        write_picture(tmp_path / name, picture(20, 20), recipe="task: style\n")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_values_are_rounded_to_the_nearest_and_clamped():
    values = torch.tensor([-0.2, 0.0, 0.4999 / 255, 0.5001 / 255, 254.6 / 255, 1.3]).view(1, 1, 1, 6)
    assert quantise(values).ravel().tolist() == [0, 0, 0, 1, 255, 255]
    assert quantise(torch.full((1, 3, 1, 1), 0.5), 16).ravel().tolist() == [32768] * 3


def test_transparency_is_laid_on_the_background_and_kept_apart(tmp_path):
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[...] = (200, 100, 0, 51)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    found = read_picture(str(tmp_path / "a.png"), background=(0.0, 1.0, 0.0))
    assert found.pixels[0, 0].tolist() == [40, round(0.2 * 100 + 0.8 * 255), 0]
    assert found.alpha[0, 0] == 51


def test_an_embedded_profile_is_converted_to_srgb(tmp_path):
    """A profile that swaps nothing but the white point: Lab D50 to sRGB is what littlecms says."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    profile = wide_profile()
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile)
    found = read_picture(str(tmp_path / "a.png"))
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    expected = ImageCms.profileToProfile(Image.fromarray(pixels), source, ImageCms.createProfile("sRGB"))
    assert np.array_equal(found.pixels, np.asarray(expected))
    assert not np.array_equal(found.pixels, pixels)
    assert any("sRGB" in note for note in found.notes)


def wide_profile() -> bytes:
    """sRGB's profile with red and green exchanged, under another name: a profile that visibly matters."""
    raw = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(raw[128:132], "big")
    entries = {bytes(raw[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    raw[red : red + 4], raw[green : green + 4] = b"gXYZ", b"rXYZ"
    text = entries[b"desc"]
    offset, size = (int.from_bytes(raw[text + k : text + k + 4], "big") for k in (4, 8))
    raw[offset : offset + size] = bytes(raw[offset : offset + size]).replace(b"\0s\0R\0G\0B", b"\0w\0i\0d\0e")
    return bytes(raw)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA"])
def test_other_kinds_of_pixels_become_rgb(tmp_path, mode):
    grey = Image.fromarray(np.full((5, 7), 255, np.uint8)).convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    grey.save(path)
    found = read_picture(str(path))
    assert found.size == (5, 7)
    assert found.pixels.min() >= 254


def test_sixteen_bit_grey(tmp_path):
    Image.fromarray(np.full((4, 4), 300, np.uint16)).save(tmp_path / "a.png")
    assert read_picture(str(tmp_path / "a.png")).pixels[0, 0].tolist() == [300, 300, 300]


def png_header(width, height):
    content = io.BytesIO()
    Image.new("RGB", (1, 1)).save(content, "PNG")
    raw = bytearray(content.getvalue())
    raw[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    import zlib

    raw[29:33] = zlib.crc32(bytes(raw[12:29])).to_bytes(4, "big")
    return bytes(raw)


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (None, ExitCode.NO_INPUT, "No such file"),
        (b"", ExitCode.DATA, "no picture, or of an unknown format"),
        (b"hello", ExitCode.DATA, "no picture, or of an unknown format"),
        (png_header(20000, 20000), ExitCode.DATA, "more pixels than the 150 million that are read"),
        (png_header(16000, 10000), ExitCode.DATA, "160 million"),
        (png_header(300, 300), ExitCode.DATA, "cannot be decoded"),
    ],
)
def test_pictures_that_cannot_be_read_are_named(tmp_path, content, code, says):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VtkError, match=says) as caught:
        read_picture(str(path))
    assert caught.value.code is code
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_a_truncated_jpeg_is_refused(tmp_path, marks):
    big = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(big).save(content, "JPEG")
    (tmp_path / "a.jpg").write_bytes(content.getvalue()[:-900])
    with pytest.raises(VtkError, match="truncated"):
        read_picture(str(tmp_path / "a.jpg"))


def test_the_limit_is_below_half_a_gibibyte():
    assert MAX_PIXELS * 3 < 1 << 29


def test_a_mask_is_brightness_and_must_have_the_pictures_size(tmp_path):
    Image.fromarray(np.full((4, 6), 51, np.uint8)).save(tmp_path / "m.png")
    assert torch.allclose(read_mask(str(tmp_path / "m.png"), (4, 6)), torch.full((4, 6), 0.2))
    with pytest.raises(VtkError, match="the mask is 6×4 pixels, its picture is 8×4 pixels"):
        read_mask(str(tmp_path / "m.png"), (4, 8))


@pytest.mark.parametrize(("name", "bits"), [("a.jpg", 16), ("a.webp", 8), ("a", 8)])
def test_what_a_format_cannot_hold_is_refused_and_nothing_written(tmp_path, name, bits):
    with pytest.raises(VtkError) as caught:
        write_picture(tmp_path / name, torch.rand(1, 3, 4, 4), bits=bits)
    assert caught.value.code is ExitCode.RECIPE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    subprocess.run(["id", "-u"], capture_output=True).stdout == b"0\n", reason="root may write anywhere"
)
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(VtkError) as caught:
        write_picture(tmp_path / "a.png", torch.rand(1, 3, 4, 4))
    assert caught.value.code is ExitCode.CANNOT_CREATE
