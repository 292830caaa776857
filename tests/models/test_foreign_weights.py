"""Files of other programs, in the forms that those write: read by name or by shape, or refused with the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from toolkit.errors import ExitCode, VtkError
from toolkit.labelled_images.model import planned_download
from toolkit.labelled_images.model_sections import BackboneModel
from toolkit.models.backbones import create

ARCH = "torchvision:shufflenet_v2_x0_5"


def built(weights: Path | None = None, classes: int = 3, **options: Any) -> Any:
    torch.manual_seed(7)
    return create(ARCH, num_classes=classes, image_size=64, weights=weights, **options)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(1)
    found: dict[str, Tensor] = create(ARCH, num_classes=3, image_size=64).model.state_dict()
    return found


def under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def same(model: torch.nn.Module, state: dict[str, Tensor], but: str = "?") -> bool:
    found = model.state_dict()
    return all(torch.equal(found[name], tensor) for name, tensor in state.items() if not name.startswith(but))


FORMS = {
    "DistributedDataParallel": lambda s: under("module.", s),
    "torch.compile": lambda s: under("_orig_mod.", s),
    "both": lambda s: {"model": under("module._orig_mod.", s)},
    "Lightning": lambda s: {"state_dict": under("model.", s), "epoch": 3, "pytorch-lightning_version": "2.4.0"},
    "mmpretrain": lambda s: {
        "meta": {"epoch": 3},
        "state_dict": {f"{'head' if name.startswith('fc.') else 'backbone'}.{name}": t for name, t in s.items()},
    },
    "timm, with an average": lambda s: {"state_dict": {n: t + 1 for n, t in s.items()}, "state_dict_ema": s},
    "an average in a wrapper": lambda s: {"ema": {"module": s}, "model": {n: t + 1 for n, t in s.items()}},
    "model_ema": lambda s: {"model_ema": under("module.", s), "optimizer": {"lr": 0.1}},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_usual_form_is_read(form: str, tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(FORMS[form](state), tmp_path / "w.pth")
    found = built(tmp_path / "w.pth")
    assert same(found.model, state)
    assert any("the head of" in note and "is kept" in note for note in found.notes)


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As another implementation of the same network would name them, in the same order."""
    return {f"layer_{i}.{name.rpartition('.')[2]}": tensor for i, (name, tensor) in enumerate(state.items())}


def test_other_names_are_refused_with_the_way_out(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(renamed(state), tmp_path / "w.pth")
    with pytest.raises(VtkError, match="do not fit") as caught:
        built(tmp_path / "w.pth")
    assert "only the names differ" in str(caught.value.hint)
    assert "match: shapes" in str(caught.value.hint)


@pytest.mark.parametrize("classes", [3, 5])
def test_by_shapes_told_aloud(tmp_path: Path, state: dict[str, Tensor], classes: int) -> None:
    torch.save(renamed(state), tmp_path / "w.pth")
    found = built(tmp_path / "w.pth", classes=classes, match="shapes")
    counters = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    assert same(found.model, counters, but="?" if classes == 3 else "fc.")
    assert any("matched by order and shape" in note for note in found.notes)
    assert any(("is kept" if classes == 3 else "is left out") in note for note in found.notes)


def swapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Mean before weight: the same shapes, another meaning."""
    names = list(renamed(state))
    place = next(i for i, name in enumerate(names) if name.endswith("running_mean"))
    names[place - 2], names[place] = names[place], names[place - 2]
    return {name: renamed(state)[name] for name in names}


def test_what_is_not_one_to_one_is_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(swapped(state), tmp_path / "swapped.pth")
    torch.save(dict(list(renamed(state).items())[1:]), tmp_path / "short.pth")
    save_file(renamed(state), tmp_path / "sorted.safetensors")
    for name in ("swapped.pth", "short.pth", "sorted.safetensors"):
        with pytest.raises(VtkError, match="one to one") as caught:
            built(tmp_path / name, match="shapes")
        assert caught.value.code == ExitCode.RECIPE
        with pytest.raises(VtkError, match="do not fit") as caught:
            built(tmp_path / name)
        assert "only the names differ" not in str(caught.value.hint)


def test_the_head_is_kept_or_new_as_the_recipe_says(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, tmp_path / "w.pth")
    fresh = built(tmp_path / "w.pth", head="new")
    assert same(fresh.model, state, but="fc.")
    assert not torch.equal(fresh.model.fc.weight, state["fc.weight"])
    assert same(built(tmp_path / "w.pth", head="keep").model, state)
    other = built(tmp_path / "w.pth", classes=4)
    assert any("is left out; one for 4 classes starts anew" in note for note in other.notes)
    with pytest.raises(VtkError, match="not one for 4 classes"):
        built(tmp_path / "w.pth", classes=4, head="keep")


def test_a_local_file_wins_over_auto() -> None:
    section = BackboneModel(name="backbone", arch=ARCH, pretrained="auto", weights="w.pth")
    assert section.wants_pretrained is False
    assert planned_download(section) is None
    with pytest.raises(ValidationError, match="either pretrained or weights"):
        BackboneModel(name="backbone", arch=ARCH, pretrained=True, weights="w.pth")
    with pytest.raises(ValidationError, match="give weights too"):
        BackboneModel(name="backbone", arch=ARCH, head="new")
