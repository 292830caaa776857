"""A checkpoint is whole or absent."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from toolkit.errors import ExitCode, VtkError
from toolkit.run.checkpoint.store import CheckpointStore


def tree(value: float) -> dict[str, object]:
    return {"weights": torch.full((50,), value), "step": value}


def test_the_newest_is_loaded_and_two_are_kept(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints")
    for step in (1, 2, 3, 20):
        store.save(step, tree(step))
    loaded, step, damaged = store.load_latest()
    assert (step, loaded["step"], damaged) == (20, 20, [])
    assert store.steps() == [3, 20]


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(1, tree(1))
    store.save(1, tree(7))
    assert store.load(1)["step"] == 7
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000001"]


@pytest.mark.parametrize("name", ["state.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("how", ["flip", "truncate", "remove"])
def test_damage_is_noticed_named_and_the_one_before_is_used(tmp_path: Path, name: str, how: str) -> None:
    store = CheckpointStore(tmp_path)
    store.save(1, tree(1))
    store.save(2, tree(2))
    damage(tmp_path / "step-000000002" / name, how)
    loaded, step, damaged = store.load_latest()
    assert (step, loaded["step"]) == (1, 1)
    assert "step-000000002" in str(damaged[0].place)


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    path = store.save(1, tree(1)) / "state.safetensors"
    content = path.read_bytes()
    for place in random.Random(0).sample(range(len(content)), 60):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(VtkError, match="checksum"):
            store.load(1)


def test_all_damaged_is_an_error_about_data_and_none_is_missing_input(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    with pytest.raises(VtkError) as none:
        store.load_latest()
    assert none.value.code == ExitCode.NO_INPUT
    damage(store.save(1, tree(1)) / "state.json", "truncate")
    with pytest.raises(VtkError) as damaged:
        store.load_latest()
    assert damaged.value.code == ExitCode.DATA


def test_a_kill_while_saving_leaves_whole_checkpoints_only(tmp_path: Path) -> None:
    script = (
        "import sys, torch; from pathlib import Path; from toolkit.run.checkpoint.store import CheckpointStore\n"
        "store = CheckpointStore(Path(sys.argv[1]))\n"
        "for step in range(1, 100000):\n"
        "    store.save(step, {'w': torch.full((20000,), float(step)), 'step': step}); print(step, flush=True)\n"
    )
    chooser = random.Random(1)
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        process = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(chooser.randint(2, 15)):
            last = int(process.stdout.readline())
        process.kill()
        process.wait()
        process.stdout.close()
        loaded, step, _ = CheckpointStore(folder).load_latest()
        assert step >= last - 1
        assert loaded["step"] == step
        assert torch.equal(loaded["w"], torch.full((20000,), float(step)))


def test_too_little_space_is_refused_with_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    store = CheckpointStore(tmp_path)
    store.save(1, tree(1))
    usage = type(shutil.disk_usage(tmp_path))(10**9, 10**9, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(VtkError, match=r"1\.\d MB needed, 0\.0 MB free") as full:
        store.save(2, tree(2))
    assert full.value.code == ExitCode.IO
    assert store.load_latest()[1] == 1


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "remove":
        path.unlink()
    elif how == "truncate":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:20] + bytes([content[20] ^ 64]) + content[21:])


def test_what_was_just_saved_stays_even_below_what_lies_there(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, "best")
    for step in (150, 200, 130):
        store.save(step, {"step": step})
    assert store.steps() == [130, 200]
    assert store.load(130) == {"step": 130}


def test_a_save_that_was_cut_off_between_its_renames_is_undone(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(7, {"step": 7})
    (tmp_path / "step-000000007").rename(tmp_path / ".step-000000007.old.tmp")
    assert store.load_latest()[:2] == ({"step": 7}, 7)


@pytest.mark.parametrize("content", [b"x" * (2 << 20), b"[" * 100_000, b'{"sha256": 3}', b"[]"])
def test_a_manifest_of_another_form_is_told_and_the_checkpoint_before_is_used(tmp_path: Path, content: bytes) -> None:
    store = CheckpointStore(tmp_path)
    for step in (1, 2):
        store.save(step, {"a": step})
    (tmp_path / "step-000000002" / "manifest.json").write_bytes(content)
    tree, step, damaged = store.load_latest()
    assert (tree, step) == ({"a": 1}, 1)
    assert [error.code for error in damaged] == [ExitCode.DATA]
