from __future__ import annotations

import pytest
import torch

from toolkit import ExitCode, VtkError
from vtk_style.memory import MIB, choose_tiling, demand, free_memory, largest_pixels
from vtk_style.taps import parse_taps, receptive_field

STYLE = parse_taps([f"conv_{k}" for k in range(1, 6)])
CONTENT = parse_taps(["conv_4"])
FIELD = receptive_field(STYLE)
NEED = demand(STYLE, CONTENT, "max", pair_bytes=2 * 3 * 2 * 6)


def test_a_further_megapixel_costs_no_more_than_promised_in_tiles():
    assert NEED.image * 1e6 / MIB < 350


def test_the_whole_image_where_it_fits_and_the_largest_tile_where_not():
    assert choose_tiling(512, 512, FIELD, NEED, 8 << 30).is_whole
    tight = choose_tiling(3000, 4000, FIELD, NEED, 6 << 30)
    assert not tight.is_whole
    assert NEED.bytes(tight) <= 0.8 * (6 << 30)
    assert tight.side % FIELD.stride == 0
    tighter = choose_tiling(3000, 4000, FIELD, NEED, 9 << 29)
    assert tighter.side < tight.side


def test_a_wish_is_obeyed_or_refused():
    assert choose_tiling(3000, 4000, FIELD, NEED, 32 << 30, 257).side == 256
    with pytest.raises(VtkError) as caught:
        choose_tiling(3000, 4000, FIELD, NEED, 6 << 30, "whole")
    assert caught.value.code is ExitCode.OUT_OF_MEMORY
    assert "tile" in caught.value.hint


def test_what_is_said_to_fit_fits_and_not_much_more_does():
    for free in (1 << 30, 6 << 30):
        side = int(largest_pixels(NEED, FIELD, free) ** 0.5)
        choose_tiling(side, side, FIELD, NEED, free)
        with pytest.raises(VtkError, match="are free"):
            choose_tiling(int(side * 1.1), int(side * 1.1), FIELD, NEED, free)


def test_free_memory_is_within_the_machine():
    import os

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < free_memory(torch.device("cpu")) <= total


def test_a_cgroup_limit_counts(tmp_path, monkeypatch):
    (tmp_path / "max").write_text(f"{512 * MIB}\n")
    (tmp_path / "current").write_text(f"{412 * MIB}\n")
    monkeypatch.setattr("vtk_style.memory._CGROUP_FILES", ((str(tmp_path / "max"), str(tmp_path / "current")),))
    monkeypatch.setattr("vtk_style.memory._reclaimable", lambda: 0)
    assert free_memory(torch.device("cpu")) == 100 * MIB
    (tmp_path / "max").write_text("max\n")
    assert free_memory(torch.device("cpu")) > 100 * MIB
