"""Small picture files of every kind, each with the pixels that it stands for."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

HEIGHT, WIDTH = 24, 32


@dataclass(frozen=True)
class Golden:
    """A file's content, the RGB pixels it must give, and how far a lossy format may be off (mean, of 255)."""

    data: bytes
    pixels: np.ndarray
    tolerance: float = 0.0


def picture() -> np.ndarray:
    """Smooth, coloured and without any symmetry; RGB uint8."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([8 * x, 10 * y, 255 - 4 * x - 5 * y], axis=2).clip(0, 255).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None].astype(np.float64) / 255
    return np.floor(rgb * share + 255 * (1 - share) + 0.5).astype(np.uint8)


def in_rgb(grey: np.ndarray) -> np.ndarray:
    return np.stack([grey] * 3, axis=2)


def from_16(values: np.ndarray) -> np.ndarray:
    return np.floor(values / 65535 * 255 + 0.5).astype(np.uint8)


def encoded(extension: str, channels: np.ndarray) -> bytes:
    return cv2.imencode(extension, channels)[1].tobytes()


def oriented(kind: str, orientation: int, **options: Any) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(Image.fromarray(picture()), kind, exif=exif.tobytes(), **options)


# What each EXIF orientation asks for, from the standard's table: the stored row and column that upright (0, 0) has.
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: np.fliplr(a),
    3: lambda a: np.rot90(a, 2),
    4: lambda a: np.flipud(a),
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}


def golden_files() -> dict[str, Golden]:
    rgb = picture()
    image = Image.fromarray(rgb)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    alpha = (x * 8).astype(np.uint8)
    grey = (y * 10).astype(np.uint8)
    deep = ((x * 2047 + y * 91) % 65536).astype(np.uint16)
    deep_rgb = np.stack([deep, deep[::-1], deep[:, ::-1]], axis=2)
    deep_alpha = (65535 - deep).astype(np.uint16)
    palette = image.quantize(8)
    palette_rgb = np.asarray(palette.convert("RGB"))
    hidden = np.asarray(palette) == 3
    rgba = Image.fromarray(np.dstack([rgb, alpha]))
    la = Image.fromarray(np.dstack([grey, alpha]))
    second = Image.fromarray(255 - rgb)
    ink = image.convert("CMYK")
    files = {
        "rgb.png": Golden(saved(image, "PNG"), rgb),
        "grey.png": Golden(saved(Image.fromarray(grey), "PNG"), in_rgb(grey)),
        "palette.png": Golden(saved(palette, "PNG"), palette_rgb),
        "palette_transparent.png": Golden(
            saved(palette, "PNG", transparency=3), np.where(hidden[..., None], 255, palette_rgb).astype(np.uint8)
        ),
        "rgba.png": Golden(saved(rgba, "PNG"), on_white(rgb, alpha)),
        "la.png": Golden(saved(la, "PNG"), on_white(in_rgb(grey), alpha)),
        "bilevel.png": Golden(
            saved(Image.fromarray(grey > 100), "PNG"), in_rgb(np.where(grey > 100, 255, 0).astype(np.uint8))
        ),
        "keyed.png": Golden(
            saved(image, "PNG", transparency=tuple(int(v) for v in rgb[3, 4])),
            np.where((rgb == rgb[3, 4]).all(axis=2)[..., None], 255, rgb).astype(np.uint8),
        ),
        "grey_16.png": Golden(encoded(".png", deep), in_rgb(from_16(deep))),
        "rgb_16.png": Golden(encoded(".png", deep_rgb[..., ::-1]), from_16(deep_rgb)),
        "rgba_16.png": Golden(
            encoded(".png", np.dstack([deep_rgb[..., ::-1], deep_alpha])),
            on_white(from_16(deep_rgb), from_16(deep_alpha)),
        ),
        "grey_16_keyed.png": Golden(
            saved(Image.fromarray(deep), "PNG", transparency=int(deep[2, 2])),
            in_rgb(np.where(deep == deep[2, 2], 255, from_16(deep)).astype(np.uint8)),
        ),
        "animated.png": Golden(saved(image, "PNG", save_all=True, append_images=[second]), rgb),
        "rgb.jpg": Golden(saved(image, "JPEG", quality=95, subsampling=0), rgb, 1.5),
        "progressive.jpg": Golden(saved(image, "JPEG", quality=95, subsampling=0, progressive=True), rgb, 1.5),
        "grey.jpg": Golden(saved(Image.fromarray(grey), "JPEG", quality=95), in_rgb(grey), 1.5),
        "cmyk.jpg": Golden(saved(ink, "JPEG", quality=95), rgb, 3.0),
        "rgb.gif": Golden(saved(palette, "GIF"), palette_rgb),
        "animated.gif": Golden(saved(palette, "GIF", save_all=True, append_images=[second.quantize(8)]), palette_rgb),
        "transparent.gif": Golden(
            saved(palette, "GIF", transparency=3), np.where(hidden[..., None], 255, palette_rgb).astype(np.uint8)
        ),
        "rgb.webp": Golden(saved(image, "WEBP", lossless=True), rgb),
        "rgba.webp": Golden(saved(rgba, "WEBP", lossless=True, exact=True), on_white(rgb, alpha)),
        "animated.webp": Golden(saved(image, "WEBP", lossless=True, save_all=True, append_images=[second]), rgb),
        "rgb.bmp": Golden(saved(image, "BMP"), rgb),
        "rgb.tif": Golden(saved(image, "TIFF"), rgb),
        "lzw.tif": Golden(saved(image, "TIFF", compression="tiff_lzw"), rgb),
        "pages.tif": Golden(saved(image, "TIFF", save_all=True, append_images=[second]), rgb),
        "cmyk.tif": Golden(saved(ink, "TIFF"), rgb),
        "grey_16.tif": Golden(saved(Image.fromarray(deep), "TIFF"), in_rgb(from_16(deep))),
        "rgb_16.tif": Golden(encoded(".tif", deep_rgb[..., ::-1]), from_16(deep_rgb)),
        "float.tif": Golden(saved(Image.fromarray((deep / 65535).astype(np.float32)), "TIFF"), in_rgb(from_16(deep))),
        "rgb.ppm": Golden(saved(image, "PPM"), rgb),
        "grey_16.pgm": Golden(
            f"P5 {WIDTH} {HEIGHT} 65535\n".encode() + deep.astype(">u2").tobytes(), in_rgb(from_16(deep))
        ),
        "rgb.avif": Golden(saved(image, "AVIF", quality=95), rgb, 3.0),
        "rgb.jp2": Golden(saved(image, "JPEG2000"), rgb),
    }
    for orientation, upright in UPRIGHT.items():
        turned = np.ascontiguousarray(upright(rgb))
        options: Sequence[tuple[str, str, dict[str, Any], float]] = (
            ("jpg", "JPEG", {"quality": 95, "subsampling": 0}, 1.5),
            ("png", "PNG", {}, 0.0),
            ("webp", "WEBP", {"lossless": True}, 0.0),
            ("tif", "TIFF", {}, 0.0),
        )
        for suffix, kind, extra, tolerance in options:
            files[f"exif_{orientation}.{suffix}"] = Golden(oriented(kind, orientation, **extra), turned, tolerance)
    return files


_GOLDEN = golden_files()


@pytest.fixture(scope="session")
def golden() -> dict[str, Golden]:
    return _GOLDEN


@pytest.fixture(params=sorted(_GOLDEN))
def golden_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve JPEGs of 60 × 80 in Kaggle's naming, cats warm and dogs cold, in one folder."""
    folder = tmp_path_factory.mktemp("pets")
    rng = np.random.default_rng(7)
    for number in range(12):
        kind, base = ("cat", (200, 120, 60)) if number % 2 == 0 else ("dog", (60, 110, 200))
        coarse = np.clip(rng.normal(base, 40, (6, 8, 3)), 0, 255).astype(np.uint8)
        pixels = cv2.resize(coarse, (80, 60), interpolation=cv2.INTER_CUBIC)
        Image.fromarray(pixels).save(folder / f"{kind}.{number // 2}.jpg", quality=90)
    return folder
