"""What is free is the least that machine, control groups and limits leave; one answer for cache, trials and styles."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
import torch

from toolkit.errors import ExitCode, VtkError
from toolkit.system.memory import (
    cgroup_rooms,
    free_memory,
    limit_rooms,
    machine_room,
    peak_memory,
    require_room,
    smaller_batches,
    used_memory,
)

CPU, MIB = torch.device("cpu"), 1 << 20


def test_free_memory_is_within_the_machine() -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < free_memory(CPU) <= total
    used, peak = used_memory(CPU), peak_memory(CPU)
    assert peak is not None
    assert 50 * MIB < used < total
    assert 0.9 * used < peak < total  # the kernel counts both by about a megabyte


def test_the_shells_limit_counts() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    if before[0] != resource.RLIM_INFINITY:
        pytest.skip("there is a limit already")
    assert not list(limit_rooms())
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + 300 * MIB, before[1]))
    try:
        assert 250 * MIB < free_memory(CPU) <= 300 * MIB
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class Machine:
    """A file system with control groups, as far as :mod:`toolkit.system.memory` looks at it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    def second(self, group: str, limit: int | str, used: int, cached: int = 0) -> None:
        for name, value in (("max", limit), ("current", used), ("stat", f"anon 1\ninactive_file {cached}")):
            self.write(f"sys/fs/cgroup{group}/memory.{name}", str(value))

    def first(self, group: str, limit: int, used: int, cached: int = 0) -> None:
        for name, value in (
            ("limit_in_bytes", limit),
            ("usage_in_bytes", used),
            ("stat", f"cache 1\ntotal_inactive_file {cached}"),
        ):
            self.write(f"sys/fs/cgroup/memory{group}/memory.{name}", str(value))

    def is_in(self, groups: str, mounts: str) -> None:
        self.write("proc/self/cgroup", groups)
        self.write("proc/self/mountinfo", mounts)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


SECOND = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
FIRST = "33 30 0:29 {} /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory"


def test_the_processs_own_group_counts_and_those_above_it(machine: Machine) -> None:
    machine.is_in("0::/user.slice/job", SECOND)
    machine.second("", "max", 0)
    machine.second("/user.slice", 1000, 300, cached=50)
    machine.second("/user.slice/job", 900, 500)
    assert sorted(cgroup_rooms(machine.root)) == [400, 750]


def test_version_one_counts_too_also_where_a_container_sees_its_group_as_the_root(machine: Machine) -> None:
    machine.is_in("4:memory:/docker/abc\n9:name=systemd:/", FIRST.format("/docker/abc"))
    machine.first("", 2000, 500, cached=100)
    assert list(cgroup_rooms(machine.root)) == [1600]
    machine.is_in("4:cpu,memory:/docker/abc/job", FIRST.format("/docker/abc"))
    machine.first("/job", 800, 300)
    assert list(cgroup_rooms(machine.root)) == [500, 1600]
    machine.is_in("4:memory:/../elsewhere", FIRST.format("/"))
    assert list(cgroup_rooms(machine.root)) == [1600]


def test_without_limits_the_machine_counts(machine: Machine) -> None:
    assert not list(cgroup_rooms(machine.root))
    machine.write("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    700 kB")
    assert machine_room(machine.root) == 700 * 1024


def test_the_least_room_is_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.system.memory.cgroup_rooms", lambda: iter([5 * MIB, 9 * MIB]))
    assert free_memory(CPU) == 5 * MIB
    assert free_memory() == 5 * MIB
    with pytest.raises(VtkError, match=r"a tower would take 0\.1 GB of memory, of which 0\.0 GB are free") as caught:
        require_room(6e7, "a tower", "Build a smaller one.")
    assert (caught.value.code, caught.value.hint) == (ExitCode.OUT_OF_MEMORY, "Build a smaller one.")
    require_room(5 * MIB, "a hut", "")
    monkeypatch.setattr("toolkit.system.memory.cgroup_rooms", lambda: iter([-MIB]))
    assert free_memory(CPU) == 0


def test_the_advice_keeps_the_size_of_a_step() -> None:
    assert "train.batch_size=32 --set train.accumulate=6" in smaller_batches(64, 3)
    assert "train.batch_size=1 --set" in smaller_batches(1)
