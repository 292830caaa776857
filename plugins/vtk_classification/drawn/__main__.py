"""A contact sheet of drawn creatures: ``python -m vtk_classification.drawn sheet.png``."""

from __future__ import annotations

import argparse

import numpy as np

from toolkit.data import Preprocess
from toolkit.system import cv2
from vtk_classification.drawn.creatures import KINDS, draw_creature


def main() -> None:
    """Writes the sheet; cats and dogs by turns."""
    parser = argparse.ArgumentParser(prog="python -m vtk_classification.drawn", description=main.__doc__)
    parser.add_argument("file", help="picture to write, e.g. sheet.png")
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--side", type=int, default=160, help="pixels of each square")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    square = Preprocess(height=options.side, width=options.side, resize=options.side, channels=3)
    tiles = [
        square(draw_creature(KINDS[number % 2], np.random.default_rng([options.seed, 0, number])))
        for number in range(options.rows * options.columns)
    ]
    grid = np.stack(tiles).reshape(options.rows, options.columns, options.side, options.side, 3)
    sheet = grid.transpose(0, 2, 1, 3, 4).reshape(options.rows * options.side, options.columns * options.side, 3)
    if not cv2.imwrite(options.file, cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        parser.error(f"cannot write {options.file}")


if __name__ == "__main__":
    main()
