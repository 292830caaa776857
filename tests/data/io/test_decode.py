"""The decoder: every kind of file gives the pixels it stands for, or one named refusal."""

from __future__ import annotations

import io
import os
import pickle
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from toolkit.data.io.decode import Encoded, ImageError, decode, decode_bytes
from toolkit.errors import ExitCode, VtkError


def test_golden_pixels(golden_name: str, golden: dict[str, Any], tmp_path: Path) -> None:
    name, file = golden_name, golden[golden_name]
    (tmp_path / name).write_bytes(file.data)
    pixels = decode(tmp_path / name)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    assert pixels.shape == file.pixels.shape
    difference = np.abs(pixels.astype(int) - file.pixels)
    assert difference.mean() <= file.tolerance, difference.max()


@pytest.mark.parametrize("name", ["rgb.jpg", "progressive.jpg", "grey.jpg", "rgb.png"])
def test_the_fast_path_gives_pillows_pixels(name: str, golden: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(golden[name].data)
    with Image.open(tmp_path / name) as image:
        assert np.array_equal(decode(tmp_path / name), np.asarray(image.convert("RGB")))


def test_content_decides_not_the_name(golden: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "really_a_png.jpg").write_bytes(golden["rgb.png"].data)
    assert np.array_equal(decode(tmp_path / "really_a_png.jpg"), golden["rgb.png"].pixels)


@pytest.mark.parametrize("lenient", [False, True])
def test_a_truncated_file_never_gives_part_of_a_picture(
    golden_name: str, lenient: bool, golden: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where someone told Pillow to let truncated files pass."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    data = golden[golden_name].data
    whole = decode_bytes(data, golden_name)
    refused = 0
    for kept in range(0, len(data), max(1, len(data) // 40)):
        try:
            assert np.array_equal(decode_bytes(data[:kept], golden_name), whole)
        except ImageError:
            refused += 1
    assert refused > 15


def test_a_truncated_jpeg_says_so(golden: dict[str, Any]) -> None:
    data = golden["rgb.jpg"].data
    with pytest.raises(ImageError, match="truncated"):
        decode_bytes(data[: len(data) * 2 // 3], "half.jpg")


def test_trailing_bytes_do_no_harm(golden: dict[str, Any]) -> None:
    for name in ("rgb.jpg", "rgb.png"):
        whole = golden[name].data
        assert np.array_equal(decode_bytes(whole + b"\0" * 100, name), decode_bytes(whole, name))


def test_a_flipped_bit_in_a_png_is_found(golden: dict[str, Any]) -> None:
    data = bytearray(golden["rgb.png"].data)
    data[len(data) // 2] ^= 0x10
    with pytest.raises(ImageError, match="checksum"):
        decode_bytes(bytes(data), "bad.png")


def test_a_thumbnails_end_marker_is_not_the_pictures(golden: dict[str, Any]) -> None:
    """A JPEG inside an EXIF block ends with the same marker as the picture around it."""
    inner, outer = golden["grey.jpg"].data, golden["rgb.jpg"].data
    block = b"Exif\0\0" + inner
    holder = outer[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + outer[2:]
    assert np.array_equal(decode_bytes(holder, "a.jpg"), decode_bytes(outer, "a.jpg"))
    with pytest.raises(ImageError, match="truncated"):
        decode_bytes(holder[: len(block) + 40], "a.jpg")


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    pixels = zlib.compress(b"\0" * 100_000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x08\x02\0\0\0") + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_before_decoding() -> None:
    with pytest.raises(ImageError, match="60000 x 60000 pixels"):
        decode_bytes(png_header(60_000, 60_000), "bomb.png")


@pytest.mark.parametrize("name", ["rgb.gif", "rgb.webp", "rgb.tif", "rgb.jpg", "rgb.png", "rgb.avif"])
def test_the_pixel_cap(name: str, golden: dict[str, Any]) -> None:
    pixels = golden[name].pixels.shape[0] * golden[name].pixels.shape[1]
    assert decode_bytes(golden[name].data, name, max_pixels=pixels).shape == golden[name].pixels.shape
    with pytest.raises(ImageError, match="more than"):
        decode_bytes(golden[name].data, name, max_pixels=pixels - 1)


@pytest.mark.parametrize("name", ["rgb.gif", "rgb.webp", "rgb.bmp", "rgba.png", "cmyk.jpg", "rgb.avif", "rgb.jp2"])
def test_pillows_own_limit_plays_no_part(name: str, golden: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a setting of the whole process. (Pillow's TIFF reader insists on it.)"""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    assert decode_bytes(golden[name].data, name).shape == golden[name].pixels.shape


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.jpg", b"", "is empty"),
        ("text.jpg", b"Dear diary, today I am a text file.\n", "not an image"),
        ("html.png", b"<!doctype html><title>404</title>", "not an image"),
        ("short.jpg", b"\xff\xd8\xff", "truncated"),
        ("film.avif", b"\0\0\0\x18ftypisom\0\0\0\0mp42avif", "not an image"),
    ],
)
def test_what_is_no_picture(name: str, content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=reason) as caught:
        decode(tmp_path / name)
    assert caught.value.place == str(tmp_path / name)
    assert caught.value.code == ExitCode.DATA


def test_a_directory_a_pipe_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="is a directory"):
        decode(tmp_path / "folder.jpg")
    with pytest.raises(ImageError, match="pipe"):
        decode(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="does not exist") as caught:
        decode(tmp_path / "nothing.jpg")
    assert caught.value.code == ExitCode.NO_INPUT
    with pytest.raises(ImageError):
        decode("a\0b.jpg")


@pytest.mark.parametrize(("low", "high"), [(-0.5, 1.0), (0.0, 255.0), (0.0, np.nan)])
def test_floats_without_a_defined_white_are_refused(low: float, high: float, tmp_path: Path) -> None:
    values = np.full((8, 8), low, np.float32)
    values[3, 3] = high
    Image.fromarray(values).save(tmp_path / "float.tif")
    with pytest.raises(ImageError, match="only 0 to 1"):
        decode(tmp_path / "float.tif")


def test_errors_survive_a_journey_between_processes() -> None:
    error = ImageError("a.jpg", "is empty", code=ExitCode.NO_INPUT)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.path, copy.reason, copy.code) == (str(error), "a.jpg", "is empty", ExitCode.NO_INPUT)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damage_gives_pixels_or_the_one_error(data: st.DataObject, golden: dict[str, Any]) -> None:
    name = data.draw(st.sampled_from(sorted(golden)))
    content = bytearray(golden[name].data)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(content) - 1))
        del content[start : start + data.draw(st.integers(1, 40))]
    try:
        pixels = decode_bytes(bytes(content), name, max_pixels=1 << 22)
    except ImageError as error:
        refusal: ImageError | None = error
    else:
        refusal = None
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
    assert refusal is None or (refusal.place == name and "\n" not in refusal.reason)


@settings(max_examples=100, deadline=None)
@given(
    content=st.binary(max_size=200),
    head=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"GIF89a"]),
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_noise_is_refused(content: bytes, head: bytes) -> None:
    with pytest.raises(ImageError):
        decode_bytes(head + content, "noise")


def test_a_second_size_does_not_get_round_the_cap() -> None:
    """A frame header of a small picture, put behind the true one."""
    found, encoded = cv2.imencode(".jpg", np.zeros((200, 200, 3), np.uint8))
    assert found
    data = encoded.tobytes()
    start = data.index(b"\xff\xc0")
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    header = bytearray(data[start : start + 2 + length])
    header[5:9] = (16).to_bytes(2, "big") * 2
    crafted = data[: start + 2 + length] + bytes(header) + data[start + 2 + length :]
    with pytest.raises(ImageError, match="two sizes"):
        decode_bytes(crafted, "a.jpg", max_pixels=1000)


def test_running_out_of_memory_is_no_fault_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever library meets it: the run ends, and no image is left out."""
    stream = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(stream, "JPEG")
    encoded = Encoded(stream.getvalue(), "a.jpg")

    def opencv_has_none(*_: object) -> None:
        error = cv2.error("Failed to allocate 178956970 bytes in function 'OutOfMemoryError'")
        error.code = -4
        raise error

    def python_has_none(*_: object) -> None:
        raise MemoryError

    for fails in (opencv_has_none, python_has_none):
        monkeypatch.setattr(cv2, "imdecode", fails)
        with pytest.raises(VtkError, match="out of memory") as caught:
            encoded.pixels()
        assert not isinstance(caught.value, ImageError)
        assert (caught.value.code, caught.value.place) == (ExitCode.OUT_OF_MEMORY, "a.jpg")
