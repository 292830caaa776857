"""Files of weights: whatever their kind, they are read without running code, and fit or are refused."""

from __future__ import annotations

import hashlib
import os
import pickle
import resource
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from toolkit.errors import ExitCode, VtkError
from toolkit.models.weights import at_url, fetch, load_state, read_state


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


@pytest.mark.parametrize("wrap", [None, "state_dict", "model", "model_state_dict"])
def test_torch_files_are_read_bare_or_wrapped(tmp_path: Path, model: nn.Module, wrap: str | None) -> None:
    state = model.state_dict()
    torch.save(state if wrap is None else {wrap: state, "epoch": 3}, tmp_path / "w.pth")
    found = read_state(tmp_path / "w.pth")
    assert list(found) == list(state)
    assert all(torch.equal(found[name], state[name]) for name in state)


def test_the_prefix_of_a_parallel_wrapper_is_taken_off(tmp_path: Path, model: nn.Module) -> None:
    torch.save({f"module.{k}": v for k, v in model.state_dict().items()}, tmp_path / "w.pt")
    assert list(read_state(tmp_path / "w.pt")) == list(model.state_dict())


def test_a_bundle_directory_stands_for_its_weights(tmp_path: Path, model: nn.Module) -> None:
    (tmp_path / "bundle").mkdir()
    save_file(model.state_dict(), tmp_path / "bundle" / "model.safetensors")
    assert read_state(tmp_path).keys() == read_state(tmp_path / "bundle").keys() == model.state_dict().keys()


def test_a_file_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"w": Evil()}, tmp_path / "evil.pt")
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(Evil()))
    for name in ("evil.pt", "raw.pt"):
        with pytest.raises(VtkError, match="not a weights file"):
            read_state(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_damaged_files_are_named(tmp_path: Path, model: nn.Module, name: str) -> None:
    path = tmp_path / name
    torch.save(model.state_dict(), path) if name.endswith("pt") else save_file(model.state_dict(), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(VtkError, match="damaged") as caught:
        read_state(path)
    assert caught.value.place == str(path)


def test_a_missing_file_has_its_own_exit_code(tmp_path: Path) -> None:
    with pytest.raises(VtkError, match="no such weights file") as caught:
        read_state(tmp_path / "none.pt")
    assert caught.value.code == ExitCode.NO_INPUT


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {}, torch.zeros(2)])
def test_what_is_no_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(VtkError, match="no state dict"):
        read_state(tmp_path / "w.pt")


def test_a_head_of_another_size_is_left_as_initialised(model: nn.Module) -> None:
    other = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    before = model[1].weight.clone()
    assert not load_state(model, other.state_dict(), heads=["1"], place="file")
    assert torch.equal(model[0].weight, other[0].weight)
    assert torch.equal(model[1].weight, before)


def test_a_head_of_the_same_size_is_kept(model: nn.Module) -> None:
    other = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    assert load_state(model, other.state_dict(), heads=["1"], place="file")
    assert torch.equal(model[1].weight, other[1].weight)


def test_any_other_difference_is_an_error_that_names_the_keys(model: nn.Module) -> None:
    state = {"0.weight": torch.zeros(4, 9), "2.weight": torch.zeros(1), **model[1].state_dict(prefix="1.")}
    with pytest.raises(VtkError) as caught:
        load_state(model, state, heads=["1"], place="w.pt")
    text = str(caught.value)
    assert "w.pt" in text
    for part in ("1 missing: 0.bias", "1 unknown: 2.weight", "0.weight 4×9 instead of 4×3"):
        assert part in text


def test_only_the_first_keys_of_many_are_named(model: nn.Module) -> None:
    state = model.state_dict() | {f"extra{i}": torch.zeros(1) for i in range(9)}
    with pytest.raises(VtkError, match=r"9 unknown: extra0, extra1, extra2, extra3 and 5 more"):
        load_state(model, state, heads=[], place="w.pt")


def test_published_weights_are_fetched_once_and_checked(
    served: tuple[Path, str], hub: Path, model: nn.Module, no_proxy: None
) -> None:
    folder, address = served
    torch.save(model.state_dict(), folder / "plain.pth")
    digest = hashlib.sha256((folder / "plain.pth").read_bytes()).hexdigest()[:8]
    (folder / "plain.pth").rename(folder / f"net-{digest}.pth")
    url = f"{address}/net-{digest}.pth"

    assert at_url(url).cached is None
    path = fetch(at_url(url))
    assert path == hub / f"net-{digest}.pth"
    (folder / f"net-{digest}.pth").unlink()
    assert at_url(url).cached == path == fetch(at_url(url))


def test_a_download_with_a_wrong_checksum_is_not_kept(served: tuple[Path, str], hub: Path, no_proxy: None) -> None:
    folder, address = served
    (folder / "net-0123abcd.pth").write_bytes(b"something else")
    with pytest.raises(VtkError, match="cannot be fetched: invalid hash") as caught:
        fetch(at_url(f"{address}/net-0123abcd.pth"))
    assert caught.value.code == ExitCode.UNAVAILABLE
    assert list(hub.iterdir()) == []


def test_weights_that_are_not_there_offer_what_to_do(served: tuple[Path, str], hub: Path, no_proxy: None) -> None:
    with pytest.raises(VtkError, match="cannot be fetched") as caught:
        fetch(at_url(f"{served[1]}/gone-0123abcd.pth"))
    assert "model.weights: FILE" in str(caught.value)
    assert "model.pretrained: false" in str(caught.value)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64])
def test_numbers_of_another_kind_are_refused(tmp_path: Path, model: nn.Module, name: str, dtype: torch.dtype) -> None:
    state = {**model.state_dict(), "0.bias": model.state_dict()["0.bias"].to(dtype)}
    save_file(state, tmp_path / name) if name.endswith("rs") else torch.save(state, tmp_path / name)
    with pytest.raises(VtkError, match=r"1 of another type: 0\.bias \w+ instead of float32") as refused:
        load_state(model, read_state(tmp_path / name), heads=(), place="w")
    assert refused.value.code == ExitCode.DATA


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_any_width_fit(model: nn.Module, dtype: torch.dtype) -> None:
    state = {name: tensor.to(dtype) for name, tensor in model.state_dict().items()}
    assert load_state(model, state, heads=(), place="w")
    assert all(torch.equal(tensor, state[name].float()) for name, tensor in model.state_dict().items())


def test_a_sparse_tensor_is_refused(model: nn.Module) -> None:
    state = {**model.state_dict(), "0.bias": model.state_dict()["0.bias"].to_sparse()}
    with pytest.raises(VtkError, match="1 of another type"):
        load_state(model, state, heads=(), place="w")


def header(length: int, text: bytes, rest: bytes = b"") -> bytes:
    """A safetensors file that says what it likes of itself."""
    return length.to_bytes(8, "little") + text + rest


HUGE = 10**18
HOSTILE = {
    "empty": b"",
    "half a length": b"\x08\x00",
    "a length beyond all": header(2**63, b"{}"),
    "a length beyond the file": header(1000, b"{}"),
    "no JSON": header(4, b"\xff{}{"),
    "a list": header(2, b"[]"),
    "deep": header(20_000, b"[" * 10_000 + b"]" * 10_000),
    "overlapping": b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
    b'"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}',
    "backwards": b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}',
    "negative": b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
    "a huge shape": f'{{"a":{{"dtype":"F32","shape":[{HUGE},{HUGE}],"data_offsets":[0,4]}}}}'.encode(),
    "a product that overflows": b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}',
    "far offsets": f'{{"a":{{"dtype":"F32","shape":[{HUGE}],"data_offsets":[0,{4 * HUGE}]}}}}'.encode(),
    "an unknown type": b'{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}',
    "metadata that are none": b'{"__metadata__":{"a":[1]}}',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_header_is_refused_without_filling_the_memory(tmp_path: Path, kind: str) -> None:
    content = HOSTILE[kind]
    content = header(len(content), content, bytes(6)) if content.startswith(b"{") else content
    (tmp_path / "w.safetensors").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(VtkError) as refused:
        read_state(tmp_path / "w.safetensors")
    assert refused.value.code == ExitCode.DATA
    assert refused.value.place == str(tmp_path / "w.safetensors")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
