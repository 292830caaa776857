"""Cutting an image into tiles whose features and gradients are exactly those of the whole image.

The cores of a row are as equal as whole strides allow, and all crops have one size, so that every tile asks for the
same blocks of memory and none is left between two others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vtk_style.feature_layers import Field, stride_at


@dataclass(frozen=True)
class Span:
    """Pixels ``start`` … ``stop`` − 1 along one side, of an image that is ``length`` long."""

    start: int
    stop: int
    length: int

    def features(self, conv: int) -> tuple[int, int]:
        """The features at a convolution's output that belong to these pixels.

        Pooling drops a last odd row, so the last span ends where the feature map does.
        """
        stride = stride_at(conv)
        stop = self.length // stride if self.stop == self.length else self.stop // stride
        return self.start // stride, stop


@dataclass(frozen=True)
class Tile:
    """A part of the image: ``core`` belongs to it alone, ``crop`` is the core with a halo or more around it.

    Both are (rows, columns).
    """

    core: tuple[Span, Span]
    crop: tuple[Span, Span]

    @property
    def window(self) -> tuple[slice, slice]:
        """The crop, as slices of the image."""
        rows, columns = self.crop
        return slice(rows.start, rows.stop), slice(columns.start, columns.stop)

    def position(self, conv: int) -> tuple[slice, slice]:
        """The core's features, as slices of the whole image's feature map."""
        return _slices(self.core, conv, (0, 0))

    def inside(self, conv: int) -> tuple[slice, slice]:
        """The core's features, as slices of the crop's own feature map."""
        stride = stride_at(conv)
        return _slices(self.core, conv, (self.crop[0].start // stride, self.crop[1].start // stride))


@dataclass(frozen=True)
class Tiling:
    """A plan of tiles.

    Args:
        height, width: of the image.
        side: of a tile's core at most, a multiple of the field's stride; the image's longer side or more for one tile.
        field: the deepest tap's, which gives the halo.
    """

    height: int
    width: int
    side: int
    field: Field

    @classmethod
    def whole(cls, height: int, width: int, field: Field) -> Tiling:
        """One tile."""
        return cls(height, width, max(height, width), field)

    @property
    def is_whole(self) -> bool:
        """Whether one tile covers the image."""
        return self.side >= max(self.height, self.width)

    def shape(self, conv: int) -> tuple[int, int]:
        """(height, width) of the whole image's feature map at a convolution's output."""
        stride = stride_at(conv)
        return self.height // stride, self.width // stride

    @property
    def largest_crop(self) -> int:
        """Pixels in the largest tile with its halo."""
        return self._crop(self.height) * self._crop(self.width)

    def __iter__(self) -> Iterator[Tile]:
        for rows in self._cuts(self.height):
            for columns in self._cuts(self.width):
                yield Tile((rows, columns), (self._grown(rows), self._grown(columns)))

    def __len__(self) -> int:
        return len(self._cuts(self.height)) * len(self._cuts(self.width))

    def _step(self, length: int) -> int:
        """Side of the cores along a side of the image: as few as may be, as equal as whole strides allow."""
        share, stride = -(-length // -(-length // self.side)), self.field.stride
        return -(-share // stride) * stride

    def _crop(self, length: int) -> int:
        return min(length, self._step(length) + 2 * self.field.halo)

    def _cuts(self, length: int) -> list[Span]:
        """Spans that begin on multiples of the stride. A rest that holds no whole stride joins the span before."""
        starts = list(range(0, length, self._step(length)))
        if len(starts) > 1 and length - starts[-1] < self.field.stride:
            starts.pop()
        return [Span(a, b, length) for a, b in zip(starts, [*starts[1:], length], strict=True)]

    def _grown(self, span: Span) -> Span:
        """The span with its halo; at the image's border, where there is none, as much more on the other side."""
        halo, stride = self.field.halo, self.field.stride
        wanted = self._step(span.length) + 2 * halo
        start = max(span.start - halo, 0)
        stop = min(max(span.stop + halo, start + wanted), span.length)
        return Span(min(start, max(0, -(-(stop - wanted) // stride) * stride)), stop, span.length)


def _slices(core: tuple[Span, Span], conv: int, origin: tuple[int, int]) -> tuple[slice, slice]:
    (top, bottom), (left, right) = (span.features(conv) for span in core)
    return slice(top - origin[0], bottom - origin[0]), slice(left - origin[1], right - origin[1])
