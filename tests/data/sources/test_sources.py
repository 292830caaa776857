"""Sources: what they find, what they pass over, and what they say when the data are not as they should be."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import shutil
import tarfile
import time
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from toolkit.data.sources import Found, ImageArrays, ImageFiles, SourceChoice
from toolkit.data.sources.csv_file import CsvFile, Row, read_rows, require_files
from toolkit.data.sources.index import class_map, require_two_classes
from toolkit.errors import ExitCode, VtkError

ADAPTER: TypeAdapter[Any] = TypeAdapter(SourceChoice)


def load(**section: Any) -> Found:
    found: Found = ADAPTER.validate_python(section).load()
    return found


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def labels(index: ImageFiles | ImageArrays | None) -> dict[str, str]:
    assert index is not None
    assert index.targets is not None
    return {key: index.classes[t] for key, t in zip(index.keys, index.targets, strict=True)}


class TestFolder:
    def test_a_class_is_a_visible_sub_folder(self, tmp_path: Path) -> None:
        touch(tmp_path, "cat/1.jpg", "cat/deep/er/2.PNG", "dog/3.webp")
        touch(tmp_path, ".ipynb_checkpoints/4.jpg", "__MACOSX/5.jpg", "cat/._6.jpg", "dog/.hidden/7.jpg", ".DS_Store")
        touch(tmp_path, "cat/notes.txt", "loose.jpg", "README.md")
        found = load(name="folder", root=str(tmp_path))
        assert labels(found.train) == {"cat/1.jpg": "cat", "cat/deep/er/2.PNG": "cat", "dog/3.webp": "dog"}
        assert found.val is None
        assert found.test is None
        assert isinstance(found.train, ImageFiles)
        assert found.train.files[0] == tmp_path / "cat/1.jpg"
        assert dict(found.train.ignored) == {
            "cat/notes.txt": "not a picture",
            "loose.jpg": "in no class folder",
            "README.md": "not a picture",
        }

    def test_numbers_sort_as_numbers(self, tmp_path: Path) -> None:
        touch(tmp_path, "10/a.jpg", "9/a.jpg", "1/a.jpg")
        assert load(name="folder", root=str(tmp_path)).train.classes == ("1", "9", "10")

    def test_split_folders_are_honoured_and_aligned_by_name(self, tmp_path: Path) -> None:
        touch(tmp_path, "train/ant/1.jpg", "train/bee/2.jpg", "train/cow/3.jpg")
        touch(tmp_path, "Validation/cow/4.jpg", "Validation/bee/5.jpg", "test/ant/6.jpg")
        found = load(name="folder", root=str(tmp_path))
        assert labels(found.train) == {"train/ant/1.jpg": "ant", "train/bee/2.jpg": "bee", "train/cow/3.jpg": "cow"}
        assert labels(found.val) == {"Validation/bee/5.jpg": "bee", "Validation/cow/4.jpg": "cow"}
        assert labels(found.test) == {"test/ant/6.jpg": "ant"}
        assert found.val is not None
        assert found.val.classes == found.train.classes == ("ant", "bee", "cow")

    def test_what_lies_beside_the_splits_is_left_out_and_named(self, tmp_path: Path) -> None:
        touch(tmp_path, "train/ant/1.jpg", "train/bee/2.jpg", "valid/ant/3.jpg", "images to predict/4.jpg")
        touch(tmp_path, "data/train/ant/1.jpg", "data/train/bee/2.jpg")
        found = load(name="folder", root=str(tmp_path))
        assert labels(found.train) == {"train/ant/1.jpg": "ant", "train/bee/2.jpg": "bee"}
        assert labels(found.val) == {"valid/ant/3.jpg": "ant"}
        assert found.test is None
        assert isinstance(found.train, ImageFiles)
        assert [path for path, _ in found.train.ignored] == ["data/", "images to predict/"]
        survey = ADAPTER.validate_python({"name": "folder", "root": str(tmp_path)}).survey()
        assert [fault.cases[0].files for fault in survey.faults if fault.kind == "folder-left-out"] == [("data/",)]

    def test_a_test_folder_without_classes_is_no_split(self, tmp_path: Path) -> None:
        touch(tmp_path, "train/ant/1.jpg", "train/bee/2.jpg", "test/3.jpg")
        found = load(name="folder", root=str(tmp_path))
        assert (found.train.classes, found.test) == (("ant", "bee"), None)

    def test_archives_unpacked_into_folders_of_their_names(self, tmp_path: Path) -> None:
        touch(tmp_path, "seg_train/seg_train/sea/1.jpg", "seg_train/seg_train/ice/2.jpg", "seg_pred/seg_pred/4.jpg")
        touch(tmp_path, "seg_test/seg_test/sea/3.jpg")
        found = load(name="folder", root=str(tmp_path))
        assert labels(found.train) == {"seg_train/seg_train/ice/2.jpg": "ice", "seg_train/seg_train/sea/1.jpg": "sea"}
        assert labels(found.test) == {"seg_test/seg_test/sea/3.jpg": "sea"}

    @pytest.mark.parametrize("other", ["plane", "images to predict"])
    def test_a_folder_called_train_that_may_be_either_is_asked_about(self, other: str, tmp_path: Path) -> None:
        touch(tmp_path, "train/ant/1.jpg", "train/bee/2.jpg", f"{other}/3.jpg")
        with pytest.raises(VtkError, match=f"is 'train' a split or a class.*'{other}'") as caught:
            load(name="folder", root=str(tmp_path))
        assert caught.value.hint is not None
        assert str(tmp_path / "train") in caught.value.hint

    def test_a_class_whose_name_ends_like_a_splits(self, tmp_path: Path) -> None:
        touch(tmp_path, "express train/steam/1.jpg", "bus/2.jpg", "crash test/3.jpg", "crash test/deep/4.jpg")
        assert load(name="folder", root=str(tmp_path)).train.classes == ("bus", "crash test", "express train")

    def test_one_class_name_in_two_unicode_forms(self, tmp_path: Path) -> None:
        composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
        touch(tmp_path, f"train/{decomposed}/1.jpg", "train/tea/2.jpg", f"val/{composed}/3.jpg")
        found = load(name="folder", root=str(tmp_path))
        assert found.train.classes == (composed, "tea")
        assert labels(found.val) == {f"val/{composed}/3.jpg": composed}
        assert isinstance(found.train, ImageFiles)
        assert all(path.is_file() for path in found.train.files)
        touch(tmp_path, f"train/{composed}/4.jpg")
        with pytest.raises(VtkError, match="two Unicode forms"):
            load(name="folder", root=str(tmp_path))

    def test_classes_may_be_called_like_splits(self, tmp_path: Path) -> None:
        touch(tmp_path, "train/1.jpg", "plane/2.jpg")
        assert load(name="folder", root=str(tmp_path)).train.classes == ("plane", "train")

    def test_a_class_that_training_does_not_know_is_named(self, tmp_path: Path) -> None:
        touch(tmp_path, "train/cat/1.jpg", "train/dog/2.jpg", "val/cat/3.jpg", "val/bird/4.jpg")
        with pytest.raises(VtkError, match="val split has classes that the training split has not: 'bird'"):
            load(name="folder", root=str(tmp_path))

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            ([], "holds no class folders"),
            (["a.jpg", "b.jpg"], "2 pictures lie in it, but no class folders"),
            (["cat/1.jpg", "dog/2.txt", "dog/3.csv"], r"class folder 'dog'; these files are not pictures: 'dog/2.txt'"),
            (["cat/1.jpg", "dog/2.jpg", "empty/.keep"], "no pictures in the class folder 'empty'"),
        ],
    )
    def test_folders_that_are_no_data_set(self, files: list[str], message: str, tmp_path: Path) -> None:
        touch(tmp_path, *files)
        with pytest.raises(VtkError, match=message) as caught:
            load(name="folder", root=str(tmp_path))
        assert caught.value.place is not None
        assert str(tmp_path) in caught.value.place
        assert caught.value.code == ExitCode.DATA

    def test_one_class_can_be_judged_though_not_learnt(self, tmp_path: Path) -> None:
        touch(tmp_path, "cat/1.jpg")
        alone = load(name="folder", root=str(tmp_path)).train
        assert labels(alone) == {"cat/1.jpg": "cat"}
        with pytest.raises(VtkError, match="only one class, 'cat'"):
            require_two_classes(alone)

    def test_a_missing_folder_says_how_to_get_it(self, tmp_path: Path) -> None:
        with pytest.raises(VtkError, match="no such folder") as caught:
            load(name="folder", root=str(tmp_path / "no"), obtain="Download it from example.org.")
        assert caught.value.code == ExitCode.NO_INPUT
        assert caught.value.hint == "Download it from example.org."
        touch(tmp_path, "file")
        with pytest.raises(VtkError, match="a file, not a folder"):
            load(name="folder", root=str(tmp_path / "file"))

    def test_a_folder_that_links_to_itself_ends(self, tmp_path: Path) -> None:
        touch(tmp_path, "cat/1.jpg", "dog/2.jpg")
        os.symlink(tmp_path / "cat", tmp_path / "cat" / "again")
        assert len(load(name="folder", root=str(tmp_path)).train) == 2

    @pytest.mark.parametrize("target", ["..", "../..", "../dog", "../../photos/dog"])
    def test_a_link_out_of_a_class_brings_it_no_other_classes_pictures(self, target: str, tmp_path: Path) -> None:
        root = tmp_path / "photos"
        touch(root, "cat/1.jpg", "dog/2.jpg", "eel/3.jpg")
        os.symlink(target, root / "cat" / "all")
        found = load(name="folder", root=str(root))
        assert labels(found.train) == {"cat/1.jpg": "cat", "dog/2.jpg": "dog", "eel/3.jpg": "eel"}
        assert isinstance(found.train, ImageFiles)
        assert [path for path, _ in found.train.ignored] == ["cat/all/"]

    def test_a_folder_outside_that_two_classes_link_to_counts_once(self, tmp_path: Path) -> None:
        root = tmp_path / "photos"
        touch(root, "cat/1.jpg", "dog/2.jpg")
        touch(tmp_path, "more/3.jpg")
        for name in ("cat", "dog"):
            os.symlink(tmp_path / "more", root / name / "more")
        found = load(name="folder", root=str(root))
        assert labels(found.train) == {"cat/1.jpg": "cat", "cat/more/3.jpg": "cat", "dog/2.jpg": "dog"}
        assert isinstance(found.train, ImageFiles)
        assert [path for path, _ in found.train.ignored] == ["dog/more/"]

    def test_the_directories_of_runs_are_no_data(self, tmp_path: Path) -> None:
        touch(tmp_path, "cat/1.jpg", "dog/2.jpg", "runs/a/report/curves.png", "runs/b/.holder", "cat/old/result.png")
        touch(tmp_path, "dog/recipe/3.jpg", "dog/recipe/recipe.yaml")
        for run in ("runs/a", "cat/old"):
            (tmp_path / run / "recipe.yaml").write_text("# resolved\ntask: classification\n")
        found = load(name="folder", root=str(tmp_path))
        assert labels(found.train) == {"cat/1.jpg": "cat", "dog/2.jpg": "dog", "dog/recipe/3.jpg": "dog"}
        assert isinstance(found.train, ImageFiles)
        assert [path for path, _ in found.train.ignored if path.endswith("/")] == ["cat/old/", "runs/a/", "runs/b/"]
        survey = ADAPTER.validate_python({"name": "folder", "root": str(tmp_path)}).survey()
        assert survey.parts["train"].classes == ("cat", "dog")

    def test_a_run_in_the_making_has_the_holder_that_runs_write(self) -> None:
        from toolkit.data.io import scan
        from toolkit.system import lock

        assert scan.RUN_HOLDER == lock.HOLDER


class TestPattern:
    KAGGLE = r"(?P<label>cat|dog)\.\d+\.jpg"

    def test_kaggles_names(self, pets: Path) -> None:
        found = load(name="pattern", root=str(pets), pattern=self.KAGGLE)
        assert found.train.classes == ("cat", "dog")
        assert labels(found.train)["dog.3.jpg"] == "dog"
        assert len(found.train) == 12

    def test_names_that_do_not_match(self, tmp_path: Path) -> None:
        touch(tmp_path, "cat.0.jpg", "dog.0.jpg", "cat.1.jpg.jpg", "notes.txt")
        with pytest.raises(VtkError, match=r"1 of 3 file names do not match .*'cat.1.jpg.jpg'"):
            load(name="pattern", root=str(tmp_path), pattern=self.KAGGLE)
        found = load(name="pattern", root=str(tmp_path), pattern=self.KAGGLE, unmatched="ignore")
        assert isinstance(found.train, ImageFiles)
        assert dict(found.train.ignored) == {"cat.1.jpg.jpg": "its name does not match", "notes.txt": "not a picture"}

    def test_nothing_matches(self, tmp_path: Path) -> None:
        touch(tmp_path, "1.jpg")
        with pytest.raises(VtkError, match="1 of 1"):
            load(name="pattern", root=str(tmp_path), pattern=self.KAGGLE, unmatched="ignore")

    def test_no_pictures(self, tmp_path: Path) -> None:
        touch(tmp_path, "a.txt")
        with pytest.raises(VtkError, match=r"no pictures in this folder; these files are not pictures: 'a.txt'"):
            load(name="pattern", root=str(tmp_path), pattern=self.KAGGLE)

    @pytest.mark.parametrize(
        ("pattern", "message"),
        [
            ("(cat|dog)", "no group named label"),
            ("(", "not a regular"),
            ("(?P<label>a{4294967296})", "not a regular"),
            ("(?P<label>" + "(" * 2000 + ")" * 2000 + ")", "too many brackets inside one another"),
        ],
        ids=["group", "bracket", "repeats", "depth"],
    )
    def test_patterns_that_cannot_work(self, pattern: str, message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            ADAPTER.validate_python({"name": "pattern", "root": ".", "pattern": pattern})


class TestCsv:
    @pytest.mark.parametrize(
        "text",
        [
            "path,label\nx/1.jpg,cat\nx/2.jpg,dog\n",
            "\ufeffpath,label\r\nx/1.jpg,cat\r\n\r\nx/2.jpg,dog\r\n\r\n",
            "id;label;path\n7;cat;x/1.jpg\n8;dog;x/2.jpg",
            'label\tpath\n"cat"\t"x/1.jpg"\ndog\tx/2.jpg\n',
            "\n\npath | label \n x/1.jpg | cat \n x/2.jpg | dog \n",
        ],
        ids=["plain", "bom-crlf-blank", "semicolon", "tab-quoted", "pipe-spaces"],
    )
    def test_dialects(self, text: str, tmp_path: Path) -> None:
        touch(tmp_path, "x/1.jpg", "x/2.jpg")
        (tmp_path / "a.csv").write_bytes(text.encode())
        found = load(name="csv", file=str(tmp_path / "a.csv"))
        assert labels(found.train) == {"x/1.jpg": "cat", "x/2.jpg": "dog"}

    def test_root_columns_and_splits(self, tmp_path: Path) -> None:
        touch(tmp_path, "images/1.jpg", "images/2.jpg", "images/3.jpg", "images/4.jpg")
        (tmp_path / "a.csv").write_text("file,kind,part\n1.jpg,b,train\n2.jpg,a,Train\n3.jpg,b,valid\n4.jpg,a,test\n")
        section = {"file": str(tmp_path / "a.csv"), "root": str(tmp_path / "images"), "path_column": "file"}
        found = load(name="csv", **section, label_column="kind", split_column="part")
        assert labels(found.train) == {"1.jpg": "b", "2.jpg": "a"}
        assert labels(found.val) == {"3.jpg": "b"}
        assert labels(found.test) == {"4.jpg": "a"}
        assert found.val is not None
        assert found.val.targets is not None
        assert found.val.targets.tolist() == [1]

    def test_missing_files_are_listed_with_their_lines(self, tmp_path: Path) -> None:
        touch(tmp_path, "1.jpg")
        lines = ["path,label", "1.jpg,cat", "", *(f"no{i}.jpg,dog" for i in range(12))]
        (tmp_path / "a.csv").write_text("\n".join(lines))
        with pytest.raises(VtkError, match="12 of 13 files are not there") as caught:
            load(name="csv", file=str(tmp_path / "a.csv"))
        assert "line 4: no0.jpg" in caught.value.message
        assert "and 2 more" in caught.value.message
        assert caught.value.code == ExitCode.NO_INPUT

    @pytest.mark.parametrize(
        ("text", "message", "line"),
        [
            ("paht,label\n1.jpg,a\n", r"no column 'path'; did you mean 'paht'\?", None),
            ("path,label,label\n1.jpg,a,b\n", "two columns 'label'", None),
            ("path,label\n1.jpg,a\n2.jpg\n", "1 fields, the header has 2", 3),
            ("path,label\n1.jpg,a,b\n", "3 fields, the header has 2", 2),
            ("path,label\n1.jpg,\n", "nothing in the column 'label'", 2),
            ("path,label\n1.jpg,a\n\n./1.jpg,a\n", "stands on line 2 already", 4),
            ("path,label\n1.jpg,a\n1.jpg,b\n", "already with another label", 3),
            ('path,label\n"1.jpg,a\n', "unexpected end of data", 2),
            ("path,label\n", "no lines below the header", None),
            ("", "the file is empty", None),
        ],
    )
    def test_tables_that_make_no_sense(self, text: str, message: str, line: int | None, tmp_path: Path) -> None:
        touch(tmp_path, "1.jpg", "2.jpg")
        (tmp_path / "a.csv").write_text(text)
        with pytest.raises(VtkError, match=message) as caught:
            load(name="csv", file=str(tmp_path / "a.csv"))
        if line is not None:
            assert caught.value.place == f"{tmp_path / 'a.csv'}:{line}"

    def test_unknown_split_names(self, tmp_path: Path) -> None:
        touch(tmp_path, "1.jpg")
        (tmp_path / "a.csv").write_text("path,label,part\n1.jpg,a,trian\n")
        with pytest.raises(VtkError, match="part is 'trian'; it must be train, val or test"):
            load(name="csv", file=str(tmp_path / "a.csv"), split_column="part")

    @pytest.mark.parametrize("content", ["path,label\n1.jpg,caf\u00e9\n".encode("latin-1"), b"path,label\n\0\0\0,a\n"])
    def test_what_is_not_utf_8_text(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_bytes(content)
        with pytest.raises(VtkError):
            load(name="csv", file=str(tmp_path / "a.csv"))

    def test_a_hundred_thousand_rows(self, tmp_path: Path) -> None:
        """Under 2 s on an idle machine. CPU time is counted, with room for busy neighbours on the same core."""
        touch(tmp_path, *(f"{i}.jpg" for i in range(50)))
        table = tmp_path / "big.csv"
        table.write_text("path;label\n" + "".join(f"{i % 50}.jpg;{i % 7}\n" for i in range(100_000)))
        begun = time.process_time()
        rows = list(read_rows(table, ["path", "label"]))
        require_files(table, tmp_path, rows)
        assert time.process_time() - begun < 4
        assert len(rows) == 100_000
        assert rows[-1] == Row(100_001, ("49.jpg", "4"))


def test_digits_are_real_scans_scaled_to_bytes() -> None:
    found = load(name="digits")
    assert isinstance(found.train, ImageArrays)
    assert found.train.images.shape == (1797, 8, 8)
    assert found.train.images.dtype == np.uint8
    assert set(np.unique(found.train.images)) == {round(v * 255 / 16) for v in range(17)}
    assert found.train.classes == tuple("0123456789")
    enlarged = load(name="digits", size=28).train
    assert isinstance(enlarged, ImageArrays)
    assert enlarged.images.shape == (1797, 28, 28)
    assert enlarged.images.mean() == pytest.approx(found.train.images.mean(), rel=0.03)


def idx(array: np.ndarray) -> bytes:
    """The format of MNIST's files: two zeros, 8 for unsigned bytes, the number of axes, their lengths."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class TestTorchvision:
    def test_mnist_from_its_own_files(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        raw = tmp_path / "MNIST" / "raw"
        raw.mkdir(parents=True)
        images = {part: rng.integers(0, 256, (n, 28, 28), dtype=np.uint8) for part, n in (("train", 20), ("t10k", 10))}
        for part, pixels in images.items():
            (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(pixels))
            (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx((np.arange(len(pixels)) % 10).astype(np.uint8)))
        source = ADAPTER.validate_python({"name": "mnist", "root": str(tmp_path)})
        assert source.downloads() == []
        found = source.load()
        assert np.array_equal(found.train.images, images["train"])
        assert np.array_equal(found.test.images, images["t10k"])
        assert found.val is None
        assert found.train.targets.tolist() == [i % 10 for i in range(20)]
        assert found.train.classes == tuple("0123456789")
        assert not set(found.train.keys) & set(found.test.keys)

    def test_mnist_as_downloaded_by_hand(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The four .gz files where the error message says: checked, unpacked, no network."""
        from torchvision.datasets import MNIST

        raw = tmp_path / "MNIST" / "raw"
        raw.mkdir(parents=True)
        resources = []
        for part, count in (("train", 20), ("t10k", 10)):
            for kind, array in (
                ("images-idx3", np.zeros((count, 28, 28), np.uint8)),
                ("labels-idx1", np.arange(count).astype(np.uint8) % 10),
            ):
                packed = gzip.compress(idx(array))
                (raw / f"{part}-{kind}-ubyte.gz").write_bytes(packed)
                resources.append((f"{part}-{kind}-ubyte.gz", md5(packed)))
        monkeypatch.setattr(MNIST, "resources", resources)
        assert len(load(name="mnist", root=str(tmp_path)).train) == 20

    def cifar(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
        """CIFAR-10's layout: rows of 3072 bytes, channel by channel, in pickles in a tar."""
        from torchvision.datasets import CIFAR10

        rng = np.random.default_rng(1)
        folder = root / "cifar-10-batches-py"
        folder.mkdir(parents=True)
        pixels = rng.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
        names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
        sums = []
        for number, name in enumerate(names):
            part = pixels[number * 10 : number * 10 + 10]
            content = pickle.dumps({"data": part.transpose(0, 3, 1, 2).reshape(10, -1), "labels": list(range(10))})
            (folder / name).write_bytes(content)
            sums.append([name, md5(content)])
        classes = ["plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
        meta = pickle.dumps({"label_names": classes})
        (folder / "batches.meta").write_bytes(meta)
        monkeypatch.setattr(CIFAR10, "train_list", sums[:5])
        monkeypatch.setattr(CIFAR10, "test_list", sums[5:])
        monkeypatch.setattr(CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": md5(meta)})
        return pixels

    def test_cifar10_from_its_own_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pixels = self.cifar(tmp_path, monkeypatch)
        found = load(name="cifar10", root=str(tmp_path))
        assert isinstance(found.train, ImageArrays)
        assert isinstance(found.test, ImageArrays)
        assert np.array_equal(found.train.images, pixels[:50])
        assert np.array_equal(found.test.images, pixels[50:])
        assert found.train.classes[3] == "cat"

    def packed_cifar(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from torchvision.datasets import CIFAR10

        self.cifar(root / "made", monkeypatch)
        with tarfile.open(root / "cifar-10-python.tar.gz", "w:gz") as tar:
            tar.add(root / "made" / "cifar-10-batches-py", "cifar-10-batches-py")
        shutil.rmtree(root / "made")
        monkeypatch.setattr(CIFAR10, "tgz_md5", md5((root / "cifar-10-python.tar.gz").read_bytes()))

    def test_cifar10_as_downloaded_by_hand(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.packed_cifar(tmp_path, monkeypatch)
        before = getattr(tarfile.TarFile, "extraction_filter", None)
        assert len(load(name="cifar10", root=str(tmp_path)).train) == 50
        assert getattr(tarfile.TarFile, "extraction_filter", None) is before

    def test_pythons_whose_tarfile_has_no_filters(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """3.11.0 to 3.11.3; they unpack whatever there is, without a warning."""
        self.packed_cifar(tmp_path, monkeypatch)
        trusting = getattr(tarfile, "fully_trusted_filter", None)
        monkeypatch.setattr(tarfile.TarFile, "extraction_filter", staticmethod(trusting), raising=False)
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
        assert len(load(name="cifar10", root=str(tmp_path)).train) == 50

    def test_an_archive_with_another_checksum_is_not_unpacked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from torchvision.datasets import CIFAR10

        monkeypatch.setattr(CIFAR10, "url", (tmp_path / "nowhere").as_uri())
        with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as tar:
            tar.add(Path(__file__), "unpacked")
        with pytest.raises(VtkError, match="nowhere"):
            load(name="cifar10", root=str(tmp_path))
        assert not (tmp_path / "unpacked").exists()

    @pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="tarfile has filters from Python 3.11.4 on")
    def test_an_archive_cannot_write_outside_its_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from torchvision.datasets import CIFAR10

        root = tmp_path / "root"
        root.mkdir()
        (tmp_path / "some").write_text("text")
        with tarfile.open(root / "cifar-10-python.tar.gz", "w:gz") as tar:
            tar.add(tmp_path / "some", "../outside")
        monkeypatch.setattr(CIFAR10, "tgz_md5", md5((root / "cifar-10-python.tar.gz").read_bytes()))
        with pytest.raises(VtkError, match="outside"):
            load(name="cifar10", root=str(root))
        assert not (tmp_path / "outside").exists()

    @pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "cifar100"])
    def test_missing_data_say_where_they_go_and_that_there_is_a_demo(self, name: str, tmp_path: Path) -> None:
        source = ADAPTER.validate_python({"name": name, "root": str(tmp_path), "download": False})
        assert source.downloads() == []
        with pytest.raises(VtkError) as caught:
            source.load()
        assert caught.value.code == ExitCode.NO_INPUT
        lines = str(caught.value).splitlines()
        assert len(lines) == 3
        assert str(tmp_path) in lines[1]
        assert "--demo" in lines[2]

    def test_what_would_be_downloaded(self, tmp_path: Path) -> None:
        source = ADAPTER.validate_python({"name": "cifar10", "root": str(tmp_path / "new")})
        assert source.downloads() == [f"CIFAR-10, 171 MB, to {tmp_path / 'new'}"]
        assert not (tmp_path / "new").exists()

    def test_damaged_files_are_named(self, tmp_path: Path) -> None:
        raw = tmp_path / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for part in ("train", "t10k"):
            (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(np.zeros((9, 28, 28), np.uint8))[:500])
            (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.zeros(9, np.uint8)))
        with pytest.raises(VtkError, match="MNIST are damaged") as caught:
            load(name="mnist", root=str(tmp_path))
        assert caught.value.place == str(raw)


def test_class_map_is_in_natural_order() -> None:
    targets, classes = class_map(["b", "a10", "a9", "b"])
    assert classes == ("a9", "a10", "b")
    assert targets.tolist() == [2, 1, 0, 2]


def test_unknown_sources_and_keys_are_refused() -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python({"name": "flickr"})
    with pytest.raises(ValidationError):
        ADAPTER.validate_python({"name": "digits", "root": "."})


def test_a_column_of_a_table_names_groups(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(b"x")
    table = tmp_path / "visits.csv"
    table.write_text("path,label,patient\na.png,cat,p1\nb.png,dog,p2\nc.png,dog,p1\n")
    source = CsvFile(name="csv", file=str(table))
    assert source.column("patient") == {"a.png": "p1", "b.png": "p2", "c.png": "p1"}
    with pytest.raises(VtkError, match="no column 'camera'"):
        source.column("camera")
    table.write_text("path,label,patient\na.png,cat,p1\nb.png,dog,\n")
    with pytest.raises(VtkError, match="nothing in the column 'patient'") as caught:
        source.column("patient")
    assert caught.value.place == f"{table}:3"


@pytest.mark.parametrize("table", ["NFC", "NFD"])
@pytest.mark.parametrize("disk", ["NFC", "NFD"])
def test_labels_and_paths_of_a_table_compare_in_any_unicode_form(tmp_path: Path, table: str, disk: str) -> None:
    folder = tmp_path / unicodedata.normalize(disk, "bl\u00e5")
    folder.mkdir()
    paths = [unicodedata.normalize(disk, f"bl\u00e5/{name}.png") for name in ("\u00e9", "\u00f6", "\uac00")]
    for path in paths:
        (tmp_path / path).write_bytes(b"x")
    rows = "bl\u00e5/\u00e9.png,caf\u00e9,p1,train\nbl\u00e5/\u00f6.png,tea,p2,train\n"
    text = unicodedata.normalize(table, f"path,label,gr\u00f6\u00dfe,s\n{rows}")
    last = unicodedata.normalize("NFD" if table == "NFC" else "NFC", "bl\u00e5/\uac00.png,caf\u00e9,p1,val\n")
    (tmp_path / "l.csv").write_text(text + last)
    source = CsvFile(name="csv", file=str(tmp_path / "l.csv"), split_column="s")
    found = source.load()
    assert found.val is not None
    assert found.train.classes == ("caf\u00e9", "tea")
    assert [*found.train.paths, *found.val.paths] == paths
    assert found.val.targets.tolist() == [0]
    assert source.column("gr\u00f6\u00dfe") == dict(zip(paths, ("p1", "p2", "p1"), strict=True))
    assert [fault.files for fault in source.survey().faults] == []


def test_two_files_that_differ_in_their_unicode_form_are_two(tmp_path: Path) -> None:
    names = ["\u00e9.png", "e\u0301.png"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system knows one form only")
    (tmp_path / "l.csv").write_text(f"path,label\n{names[0]},a\n{names[1]},b\n")
    assert list(CsvFile(name="csv", file=str(tmp_path / "l.csv")).load().train.paths) == names


def test_labels_in_names_compare_in_any_unicode_form(tmp_path: Path) -> None:
    for name in ("\u00e9.1.png", "e\u0301.2.png", "o.3.png"):
        (tmp_path / name).write_bytes(b"x")
    found = load(name="pattern", root=str(tmp_path), pattern="(?P<label>\u00e9|o)\\.\\d\\.png")
    assert found.train.classes == ("o", "\u00e9")
    assert sorted(found.train.targets.tolist()) == [0, 1, 1]


class TestOneFile:
    """One file by two names is one picture."""

    def test_a_path_from_the_root_and_an_absolute_one(self, tmp_path: Path) -> None:
        touch(tmp_path, "1.png", "2.png")
        table = tmp_path / "l.csv"
        table.write_text(f"path,label\n1.png,cat\n2.png,dog\n{tmp_path}/1.png,dog\n")
        with pytest.raises(VtkError, match="stands on line 2 already with another label"):
            load(name="csv", file=str(table))

    def test_absolute_paths_alone_are_taken(self, tmp_path: Path) -> None:
        touch(tmp_path, "1.png", "2.png")
        (tmp_path / "l.csv").write_text(f"path,label\n{tmp_path}/1.png,cat\n2.png,dog\n")
        assert len(load(name="csv", file=str(tmp_path / "l.csv")).train) == 2

    def test_a_class_folder_that_is_a_link_to_another(self, tmp_path: Path) -> None:
        touch(tmp_path, "cat/1.png", "dog/2.png")
        (tmp_path / "kitty").symlink_to("cat")
        with pytest.raises(VtkError, match="'cat' and 'kitty' are one folder, by a link"):
            load(name="folder", root=str(tmp_path))


class TestPathsThatAreWrittenOtherwise:
    @pytest.mark.parametrize(
        ("written", "remedy"),
        [
            (r"some cats\1.png", "by / instead of"),
            ("some%20cats/1.png", "plainly"),
            ("file://{root}/some%20cats/1.png", "plainly"),
            ("photos/some cats/1.png", "the folder's own name"),
            ("some cats/1", "with their endings"),
            ("https://example.org/1.png", "these are addresses"),
            ("nowhere.png", "the paths start from"),
        ],
    )
    def test_the_hint_says_how(self, tmp_path: Path, written: str, remedy: str) -> None:
        root = tmp_path / "photos"
        touch(root, "some cats/1.png", "2.png")
        (root / "l.csv").write_text(f"path,label\n{written.format(root=root)},cat\n2.png,dog\n")
        with pytest.raises(VtkError) as error:
            load(name="csv", file=str(root / "l.csv"))
        assert error.value.code == ExitCode.NO_INPUT
        assert remedy in str(error.value.hint)


class TestSplitsWithoutTraining:
    @pytest.mark.parametrize(
        ("paths", "said"),
        [
            (["val/cat/1.png", "val/dog/2.png", "test/cat/3.png"], "no training split with class folders"),
            (["Valid/cat/1.png", "Valid/dog/2.png"], "no training split with class folders"),
            (["train/cat.1.png", "test/1.png"], "'test', 'train' are called like splits"),
        ],
    )
    def test_they_are_no_classes(self, tmp_path: Path, paths: list[str], said: str) -> None:
        touch(tmp_path, *paths)
        with pytest.raises(VtkError, match=said):
            load(name="folder", root=str(tmp_path))

    def test_a_class_may_be_called_like_one_beside_others(self, tmp_path: Path) -> None:
        touch(tmp_path, "train/1.png", "bus/2.png")
        assert load(name="folder", root=str(tmp_path)).train.classes == ("bus", "train")


def test_what_systems_leave_behind_is_no_class(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.png", "dog/2.png", "$RECYCLE.BIN/3.png", "cat/@eaDir/4.png", "#recycle/5.png")
    (tmp_path / "lost+found").mkdir()
    assert labels(load(name="folder", root=str(tmp_path)).train) == {"cat/1.png": "cat", "dog/2.png": "dog"}


def test_the_only_class_folder_that_holds_class_folders_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "archive/cat/1.png", "archive/dog/2.png")
    with pytest.raises(VtkError) as error:
        require_two_classes(load(name="folder", root=str(tmp_path)).train)
    assert str(tmp_path / "archive") in str(error.value.hint)
