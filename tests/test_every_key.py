"""No key of a recipe is ever silently ignored: changing it changes something that a user can see, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from every_key import CLASSIFICATION, CLASSIFICATION_CASES, MULTILABEL, MULTILABEL_CASES, REJECTED, Case
from schema_keys import keys

from toolkit.errors import VtkError
from toolkit.recipe.load import load_text
from toolkit.system.devices import pick_device
from vtk_classification.config import ClassificationRecipe
from vtk_multilabel.config import MultilabelRecipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small pictures in every order that sources understand, and tables of them."""
    root = tmp_path_factory.mktemp("samples")
    names = [f"{label}.{number}.png" for label in "ab" for number in range(3)]
    for place in ("flat", "flat2", "flat/deeper", "messy", "."):
        _pictures(root / place, names[: 4 if place == "flat2" else 6])
    _pictures(root / "messy", ["odd.png"])
    for place, classes in (("a", "xy"), ("b", "xyz")):
        for label in classes:
            _pictures(root / place / label, ["1.png", "2.png"])
    for label in "xy":
        _pictures(root / "spoilt" / label, ["1.png", "2.png", "3.png"])
        (root / "spoilt" / label / "3.png").write_text("Buy milk.")
    _patients(root)
    parts = ["train", "val", "train", "train", "test", "train"]
    rows = [f"{n},{n.replace('1', '2')},{n[0]},{n[2]},{p}" for n, p in zip(names, parts, strict=True)]
    (root / "one.csv").write_text("\n".join(["path,other,label,second,part", *rows]))
    (root / "two.csv").write_text("\n".join(["path,other,label,second,part", *rows[1:]]))
    labels = ["x|y", "y", "x", "y|x", "x", "y"]
    rows = [f"{n},{n.replace('1', '2')},{c},z,{p}" for n, c, p in zip(names, labels, parts, strict=True)]
    (root / "labels.csv").write_text("\n".join(["path,other,labels,second,part", *rows]))
    (root / "labels2.csv").write_text("\n".join(["path,other,labels,second,part", *rows[2:]]))
    (root / "labels3.csv").write_text("\n".join(["path,other,labels,second,part", *(f"flat/{row}" for row in rows)]))
    (root / "hot.csv").write_text("\n".join(["path,x,y", *(f"{n},1,{i % 2}" for i, n in enumerate(names))]))
    (root / "pairs.csv").write_text("\n".join(["path,label,second", *(f"{n},x,y" for n in names)]))
    return root


def _patients(root: Path) -> None:
    """Four patients of each class with three pictures, of which one is another's copy in another format; a table."""
    rng = np.random.default_rng(0)
    lines = ["path,label,patient"]
    for label in "xy":
        for patient in range(4):
            folder = root / "grouped" / label / f"p{patient}"
            folder.mkdir(parents=True)
            for number in (1, 2):
                picture = cv2.resize(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8), (64, 64))
                cv2.imwrite(str(folder / f"{number}.png"), picture)
            cv2.imwrite(str(folder / "3.jpg"), picture)
            paths = [(folder / name).relative_to(root) for name in ("1.png", "2.png", "3.jpg")]
            lines += [f"{path},{label},{label}{patient // 2}" for path in paths]
    (root / "patients.csv").write_text("\n".join(lines))
    samples = {"train": [f"train/{i}" for i in range(40)], "val": [f"train/{i}" for i in range(40, 60)]}
    manifest = {"version": 1, "classes": list("0123456789"), "samples": samples}
    (root / "digits.json").write_text(json.dumps(manifest))


def _pictures(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((9, 9, 3), 20 * number, np.uint8))


def seen(one: Case, text: str, sets: tuple[str, ...], folder: Path) -> Any:
    filled = [s.replace("{folder}", str(folder)).replace("{{", "{").replace("}}", "}") for s in sets]
    resolved = load_text(text, name="keys", sets=filled)
    if one.observer == REJECTED:
        pick_device(resolved.recipe.train.device)
        from observers import weights

        return weights(resolved)
    return one.observer(resolved)  # type: ignore[operator]


_BEFORE: dict[Any, Any] = {}


def before(one: Case, text: str, folder: Path) -> Any:
    """What the base shows; looked at twice, so that chance is not taken for a change."""
    key = (one.observer, one.base, text)
    if key not in _BEFORE:
        _BEFORE[key] = seen(one, text, one.base, folder)
        assert one.observer == REJECTED or seen(one, text, one.base, folder) == _BEFORE[key]
    return _BEFORE[key]


def check(one: Case, text: str, folder: Path) -> None:
    unchanged = before(one, text, folder)
    if one.observer == REJECTED:
        with pytest.raises(VtkError):
            seen(one, text, one.changed, folder)
    else:
        assert seen(one, text, one.changed, folder) != unchanged


def test_every_key_of_the_schemas_is_here() -> None:
    classification, multilabel = set(keys(ClassificationRecipe)), set(keys(MultilabelRecipe))
    assert classification == set(CLASSIFICATION_CASES)
    assert multilabel - classification <= set(MULTILABEL_CASES)
    assert set(MULTILABEL_CASES) <= multilabel


@pytest.mark.parametrize("key", CLASSIFICATION_CASES)
def test_classification(key: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check(CLASSIFICATION_CASES[key], CLASSIFICATION, folder)


@pytest.mark.parametrize("key", MULTILABEL_CASES)
def test_multilabel(key: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check(MULTILABEL_CASES[key], MULTILABEL, folder)
