"""What the processor has is asked, or said from outside."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from toolkit.errors import ExitCode, VtkError
from toolkit.system.hardware import CPU_FEATURES, CPU_VARIABLE, cpu_features

CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPUINFO.exists() or "flags" not in CPUINFO.read_text(), reason="Linux on x86 lists them")
def test_the_cpu_has_what_the_kernel_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CPU_VARIABLE)
    flags = next(line for line in CPUINFO.read_text().splitlines() if line.startswith("flags")).split()
    assert cpu_features() == set(CPU_FEATURES) & set(flags)


@pytest.mark.parametrize(
    ("said", "features"),
    [
        ("none", set()),
        ("avx512_bf16", {"avx512_bf16"}),
        ("amx_bf16", {"amx_bf16"}),
        (" avx512_bf16, amx_bf16 ", {"avx512_bf16", "amx_bf16"}),
    ],
)
def test_it_can_be_said_from_outside(monkeypatch: pytest.MonkeyPatch, said: str, features: set[str]) -> None:
    monkeypatch.setenv(CPU_VARIABLE, said)
    assert cpu_features() == features


@pytest.mark.parametrize("said", ["amx", "bf16", "none,amx_bf16", "avx512_bf16,,", "AVX512_BF16"])
def test_a_wrong_word_is_an_error_that_names_the_right_ones(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv(CPU_VARIABLE, said)
    with pytest.raises(VtkError) as caught:
        cpu_features()
    assert caught.value.code == ExitCode.USAGE
    assert CPU_VARIABLE in str(caught.value)
    assert "none, or one or more of amx_bf16, avx512_bf16" in str(caught.value)


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CPU_VARIABLE, "")
    found = {
        name
        for name, has in (
            ("amx_bf16", torch.cpu._is_amx_tile_supported()),
            ("avx512_bf16", torch.cpu._is_avx512_bf16_supported()),
        )
        if has
    }
    assert cpu_features() == found
