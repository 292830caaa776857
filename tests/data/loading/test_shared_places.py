"""What users and processes share: a cache of another user, and shared memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from toolkit.data.loading.cache import own_group, require_cache, trim
from toolkit.errors import ExitCode, VtkError

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
OTHER = 12345


def as_another_user(call: Callable[[], bool]) -> bool:
    """What the call says in a child process of a user who is not root."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(OTHER, OTHER, OTHER)
            os.setresuid(OTHER, OTHER, OTHER)
            code = 0 if call() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into; pytest's own lie in one that is its user's alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def refused(folder: Path) -> bool:
    try:
        require_cache(folder, own_group(folder, "/photos"))
    except VtkError as error:
        return error.code == ExitCode.CANNOT_CREATE and error.place == str(folder)
    return False


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_check_refuses_the_cache_of_another_user_and_a_shared_one_serves_all(open_folder: Path) -> None:
    shut, shared = open_folder / "shut", open_folder / "shared"
    shut.mkdir(mode=0o755)
    shared.mkdir()
    shared.chmod(0o1777)
    first = own_group(shared, "/photos")
    assert trim(shared, first, 10**9) == 0
    assert own_group(shared, "/photos") == first
    assert as_another_user(lambda: refused(shut) and refused(shut / "new"))
    assert as_another_user(lambda: not refused(shared))
    assert as_another_user(lambda: own_group(shared, "/photos") != first)
    assert as_another_user(lambda: trim(shared, own_group(shared, "/photos"), 10**9) == 0)


def test_a_cache_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert refused(tmp_path / "file" / "cache")
    assert not refused(tmp_path / "not" / "yet")


def can_unshare() -> bool:
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "-o", "size=64k", "shm", "/dev/shm"]
    return (
        shutil.which("unshare") is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/shm is Linux's")
def test_too_little_shared_memory_is_told_at_once_with_the_remedy() -> None:
    if not can_unshare():
        pytest.skip("mounting a small /dev/shm of one's own needs unshare and its rights")
    code = (
        "import torch; from toolkit.types.data import Batch; from toolkit.errors import VtkError\n"
        "from toolkit.data.loading.shared_memory import require_shared_memory, share\n"
        "batch = Batch(torch.zeros(1, 1000, 1000, dtype=torch.uint8), torch.zeros(1))\n"
        "for refused in (lambda: share(batch, workers=2, prefetch=3),\n"
        "                lambda: require_shared_memory(1000004, workers=2, prefetch=3)):\n"
        "    try: refused()\n"
        "    except VtkError as error: print(int(error.code), error)"
    )
    shell = 'mount -t tmpfs -o size=64k shm /dev/shm && exec "$0" -c "$1"'
    command = ["unshare", "-m", "sh", "-c", shell, sys.executable, code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = [line for line in done.stdout.splitlines() if line.startswith("74 /dev/shm: ")]
    assert len(told) == 2
    assert all("2 × 3 batches of 1.0 MB make 6.0 MB, and 0.1 MB are free" in line for line in told)
    assert done.stdout.count("loader.workers: 0") == done.stdout.count("--shm-size") == 2
