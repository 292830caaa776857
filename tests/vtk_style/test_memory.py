from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from toolkit import ExitCode, VtkError
from vtk_style.feature_layers import parse_feature_layers, receptive_field
from vtk_style.memory import MIB, choose_tiling, demand, largest_pixels, style_tiling
from vtk_style.tiling import Tiling

STYLE = parse_feature_layers([f"conv_{k}" for k in range(1, 6)])
CONTENT = parse_feature_layers(["conv_4"])
FIELD = receptive_field(STYLE)
NEED = demand(STYLE, CONTENT, "max", pair_bytes=2 * 3 * 2 * 6)


# The kernel's own figure of the program itself: what wait4 reports counts the process that started it as well.
RUN_AND_TELL = r"""
import pathlib, re, sys
from toolkit.cli import main
code = main(sys.argv[1:])
print("peak", re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())[1], "KiB", flush=True)
sys.exit(code)
"""


def run_and_measure(folder, *changes):
    """What a run in a process of its own said that it would take at most, and what it took, in MiB."""
    command = [sys.executable, "-c", RUN_AND_TELL, "run", "style", "--demo", "--out", str(folder / "run")]
    settings = ["train.precision=fp32", "pyramid.levels=1", *changes]
    settings += ["model.style_layers=[conv_1,conv_2,conv_3,conv_4,conv_5]", "model.pooling=max"]
    command += [part for change in settings for part in ("--set", change)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    announced, peak = re.search(r"memory at most ([\d,]+) MiB", said), re.search(r"peak (\d+) KiB", said)
    assert announced, said
    assert peak, said
    return float(announced[1].replace(",", "")), int(peak[1]) / 1024


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="VmHWM is the Linux kernel's")
@pytest.mark.parametrize(
    "changes",
    [
        ("pyramid.size=448", "pyramid.steps=3", "memory.tile=96", "output.preview_every=1"),
        ("pyramid.size=320", "pyramid.steps=4", "colors=covariance", "loss.tv=1.0"),
    ],
    ids=["tiles", "whole"],
)
def test_a_run_takes_no_more_than_it_said_and_not_half_of_it(tmp_path, changes):
    said, taken = run_and_measure(tmp_path, *changes)
    assert taken <= said <= 2 * taken


def test_a_further_megapixel_costs_no_more_than_promised_in_tiles():
    small, large = (NEED.bytes(Tiling(1000, 1000 * k, 256, FIELD)) for k in (4, 12))
    assert (large - small) / 8 / MIB < 350


def test_the_whole_image_where_it_fits_and_the_largest_tile_where_not():
    assert choose_tiling(512, 512, FIELD, NEED, 8 << 30).is_whole
    tight = choose_tiling(3000, 4000, FIELD, NEED, 6 << 30)
    assert not tight.is_whole
    assert NEED.bytes(tight) <= 0.8 * (6 << 30)
    assert tight.side % FIELD.stride == 0
    tighter = choose_tiling(3000, 4000, FIELD, NEED, 5 << 30)
    assert tighter.side < tight.side


def test_a_wish_is_obeyed_or_refused():
    assert choose_tiling(3000, 4000, FIELD, NEED, 32 << 30, 257).side == 256
    with pytest.raises(VtkError) as caught:
        choose_tiling(3000, 4000, FIELD, NEED, 6 << 30, "whole")
    assert caught.value.code is ExitCode.OUT_OF_MEMORY
    assert "tile" in caught.value.hint


def test_where_nothing_fits_the_hint_names_no_size():
    with pytest.raises(VtkError) as caught:
        choose_tiling(300, 400, FIELD, NEED, 100 << 20)
    assert "No size fits" in caught.value.hint


def test_what_is_said_to_fit_fits_and_not_much_more_does():
    for free in (1 << 30, 6 << 30):
        side = int(largest_pixels(NEED, FIELD, free) ** 0.5)
        choose_tiling(side, side, FIELD, NEED, free)
        with pytest.raises(VtkError, match="may be used"):
            choose_tiling(int(side * 1.1), int(side * 1.1), FIELD, NEED, free)


def test_a_large_style_is_cut_so_that_it_takes_no_more_than_the_image():
    image = Tiling.whole(200, 300, FIELD)
    assert style_tiling(image, (250, 200)).is_whole
    cut = style_tiling(image, (1600, 2400))
    assert not cut.is_whole
    assert cut.largest_crop <= image.largest_crop


def test_large_style_pictures_count():
    plain, with_style = NEED, demand(STYLE, CONTENT, "max", pair_bytes=72, pictures=4 << 30)
    tiling = Tiling(1000, 1000, 256, FIELD)
    assert with_style.bytes(tiling) > plain.bytes(tiling) + (3 << 30)
