"""A resolved recipe inside an image, so that the image can be made again from itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

KEY = "vtk-recipe"
SUFFIXES = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg"})

_DESCRIPTION = 270  # TIFF and EXIF tag ImageDescription
_COMMENT_LIMIT = 65_000  # a JPEG segment holds 64 KiB


def save_options(image_format: str, recipe_yaml: str) -> dict[str, Any]:
    """Keyword arguments for ``PIL.Image.Image.save`` that put the recipe into the file.

    Args:
        image_format: ``PNG``, ``TIFF`` or ``JPEG``.
        recipe_yaml: a resolved recipe.

    Raises:
        ValueError: another format, or a recipe too long for a JPEG comment.
    """
    name = image_format.upper()
    if name == "PNG":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_itxt(KEY, recipe_yaml, zip=True)
        return {"pnginfo": info}
    payload = _wrap(recipe_yaml)
    if name in ("TIFF", "TIF"):
        return {"tiffinfo": {_DESCRIPTION: payload}}
    if name in ("JPEG", "JPG"):
        if len(payload) > _COMMENT_LIMIT:
            raise ValueError(f"a JPEG comment holds {_COMMENT_LIMIT:,} bytes, the recipe needs {len(payload):,}")
        return {"comment": payload}
    raise ValueError(f"{image_format} files cannot carry a recipe; PNG, TIFF and JPEG can")


def read(path: Path | str) -> str | None:
    """The recipe text inside an image, or None where there is none or the file is no image."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            if image.format == "PNG":
                # Ours stands before the pixels; another program may have moved it behind them, where `text` looks, too.
                text = image.info.get(KEY) or image.text.get(KEY)  # type: ignore[attr-defined]
                return None if text is None else str(text)
            if image.format == "TIFF":
                return _unwrap(image.tag_v2.get(_DESCRIPTION))  # type: ignore[attr-defined]
            return _unwrap(image.info.get("comment"))
    except FileNotFoundError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _wrap(recipe_yaml: str) -> str:
    """ASCII JSON: TIFF's descriptions are ASCII, and the key tells our text from any other comment."""
    return json.dumps({KEY: recipe_yaml})


def _unwrap(comment: Any) -> str | None:
    text = comment.decode("utf-8", errors="replace") if isinstance(comment, bytes) else comment
    if not isinstance(text, str) or not text.startswith(f'{{"{KEY}"'):
        return None
    try:
        recipe = json.loads(text.rstrip("\0"))[KEY]
    except (ValueError, TypeError):
        return None
    return recipe if isinstance(recipe, str) else None
