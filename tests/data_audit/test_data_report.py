"""The data report finds every planted fault in the files that have it, and none that was not planted.

The faults, planted into a clean data set of drawn cats and dogs in ``train`` and ``val``:

 1 an empty file              11 a palette                      21 a near copy within a split
 2 a text named .jpg          12 16 bits a channel              22 a near copy in two splits
 3 a JPEG cut short           13 transparency                   23 a near copy under two labels
 4 a PNG with a changed byte  14 an animation                   24 an empty class folder
 5 more pixels than allowed   15 CMYK                           25 a class that only validation has
 6 a tiny picture             16 a grey one among coloured      26 a class that validation has not
 7 a huge picture             17 a PNG named .jpg               27 a class of few pictures
 8 a very long picture        18 an exact copy within a split   28 unequal classes
 9 a blank picture            19 an exact copy in two splits    29 a class spelt in two ways
10 pictures in no class       20 an exact copy, two labels      30 a file that is no picture by its name
"""

from __future__ import annotations

import re
import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from toolkit.data.io.decode import decode
from toolkit.data.sources import CsvFile, Digits, Folder, Pattern
from toolkit.data_audit.data_report import DataReport, check_data
from toolkit.data_audit.page import as_page
from toolkit.data_audit.text import as_text, case_text
from toolkit.types.survey import Survey, SurveyKeys, SurveyPart

COUNTS = {"train": 22, "val": 12}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn cats and dogs, named cat.0.jpg, dog.0.jpg and so on."""
    from vtk_classification.drawn import Drawn

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        source = Drawn(name="drawn", count=2 * sum(COUNTS.values()))
        source.load()
        return source.folder()


@pytest.fixture(scope="module")
def clean(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a folder for each class in each split."""
    root, number = tmp_path_factory.mktemp("clean"), 0
    for split, count in COUNTS.items():
        for label in ("cat", "dog"):
            (root / split / label).mkdir(parents=True)
            for place in range(number, number + count):
                shutil.copy(drawn / f"{label}.{place}.jpg", root / split / label)
        number += count
    return root


def report_on(root: Path) -> DataReport:
    return check_data(Folder(name="folder", root=str(root)).survey(), workers=2)


def found_in(report: DataReport) -> dict[str, set[tuple[str, ...]]]:
    """Kind of fault → the files (or, where it is about a class, the words) of each case."""
    cases = {f.kind: [tuple(sorted(c.files)) or (c.detail,) for c in f.cases] for f in report.faults}
    assert all(len(set(each)) == len(each) for each in cases.values())
    return {kind: set(each) for kind, each in cases.items()}


def test_nothing_is_invented_on_clean_data(clean: Path) -> None:
    report = report_on(clean)
    assert report.faults == []
    assert report.splits == {"train": 44, "val": 24}
    assert report.counts == {"cat": {"train": 22, "val": 12}, "dog": {"train": 22, "val": 12}}


@pytest.fixture(scope="module")
def faulty(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, set[tuple[str, ...]]]]:
    """The clean data set with every fault planted, and what must be found."""
    root = tmp_path_factory.mktemp("faulty") / "data"
    shutil.copytree(clean, root)
    expected: dict[str, set[tuple[str, ...]]] = {}
    for plant in (plant_broken, plant_sizes, plant_kinds, plant_copies, plant_near_copies, plant_classes):
        for kind, files in plant(root):
            expected.setdefault(kind, set()).add(tuple(sorted(files)))
    return root, expected


Planted = Iterator[tuple[str, tuple[str, ...]]]


def noise(seed: int, height: int = 240, width: int = 320, channels: int = 3) -> np.ndarray:
    """A picture of coloured blobs like no other."""
    coarse = np.random.default_rng([99, seed]).integers(0, 256, (6, 8, channels), dtype=np.uint8)
    pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return pixels.reshape(height, width, channels).squeeze()


def plant_broken(root: Path) -> Planted:
    cats = root / "train/cat"
    (cats / "empty.jpg").write_bytes(b"")
    yield "empty-file", ("train/cat/empty.jpg",)
    (cats / "page.jpg").write_text("<html>404 not found</html>")
    yield "no-picture-file", ("train/cat/page.jpg",)
    whole = next(iter(sorted(cats.glob("cat.*.jpg")))).read_bytes()
    (cats / "short.jpg").write_bytes(whole[: len(whole) // 2])
    yield "damaged-file", ("train/cat/short.jpg",)
    Image.fromarray(noise(1)).save(cats / "changed.png")
    data = bytearray((cats / "changed.png").read_bytes())
    data[len(data) // 2] ^= 1
    (cats / "changed.png").write_bytes(data)
    yield "damaged-file", ("train/cat/changed.png",)
    header = struct.pack(">4sIIBBBBB", b"IHDR", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    end = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))
    (cats / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + end)
    yield "too-large-file", ("train/cat/bomb.png",)


def plant_sizes(root: Path) -> Planted:
    dogs = root / "train/dog"
    Image.fromarray(noise(2, 20, 24)).save(dogs / "icon.png")
    yield "tiny-picture", ("train/dog/icon.png",)
    Image.fromarray(noise(3, 5100, 5000)).save(dogs / "poster.jpg", quality=60)
    yield "huge-picture", ("train/dog/poster.jpg",)
    Image.fromarray(noise(4, 100, 900)).save(dogs / "banner.jpg")
    yield "long-picture", ("train/dog/banner.jpg",)
    Image.new("RGB", (300, 300), (40, 90, 60)).save(dogs / "lens_cap.jpg")
    yield "blank-picture", ("train/dog/lens_cap.jpg",)


def plant_kinds(root: Path) -> Planted:
    dogs = root / "val/dog"
    Image.fromarray(noise(5)).convert("CMYK").save(dogs / "print.jpg")
    yield "cmyk-picture", ("val/dog/print.jpg",)
    Image.fromarray(noise(6)).quantize(32).save(dogs / "palette.png")
    yield "palette-picture", ("val/dog/palette.png",)
    cv2.imwrite(str(dogs / "deep.png"), noise(7).astype(np.uint16) * 257)
    yield "16-bit-picture", ("val/dog/deep.png",)
    Image.fromarray(noise(8, channels=4)).save(dogs / "glass.png")
    yield "transparent-picture", ("val/dog/glass.png",)
    frames = [Image.fromarray(noise(seed)) for seed in (9, 10)]
    frames[0].save(dogs / "moving.webp", save_all=True, append_images=frames[1:], lossless=True)
    yield "animated-picture", ("val/dog/moving.webp",)
    Image.fromarray(noise(11, channels=1)).save(dogs / "old.jpg")
    yield "grey-among-coloured", ("val/dog/old.jpg",)
    Image.fromarray(noise(12)).save(dogs / "misnamed.jpg", format="PNG")
    yield "wrong-suffix", ("val/dog/misnamed.jpg",)


def copy(root: Path, source: str, target: str) -> tuple[str, str]:
    shutil.copy(root / source, root / target)
    return source, target


def plant_copies(root: Path) -> Planted:
    yield "copy-in-split", copy(root, "train/cat/cat.0.jpg", "train/cat/again.jpg")
    yield "copy-across-splits", copy(root, "train/cat/cat.1.jpg", "val/cat/leaked.jpg")
    yield "copy-with-two-labels", copy(root, "train/cat/cat.2.jpg", "train/dog/is_a_cat.jpg")


def plant_near_copies(root: Path) -> Planted:
    def near(source: str, target: str, scale: float, quality: int) -> tuple[str, str]:
        pixels = cv2.resize(decode(root / source), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        Image.fromarray(pixels).save(root / target, quality=quality)
        return source, target

    yield "near-copy-in-split", near("train/cat/cat.5.jpg", "train/cat/small.jpg", 0.5, 90)
    yield "near-copy-across-splits", near("train/dog/dog.5.jpg", "val/dog/poor.jpg", 1.0, 40)
    yield "near-copy-with-two-labels", near("val/dog/dog.30.jpg", "val/cat/is_a_dog.webp", 0.7, 80)


def plant_classes(root: Path) -> Planted:
    def some(folder: str, count: int, seed: int) -> None:
        (root / folder).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(noise(seed + number)).save(root / folder / f"{number}.jpg")

    (root / "train/bird").mkdir()
    yield "empty-class-folder", ("train/bird",)
    some("val/fox", 2, 100)
    yield "class-not-in-training", ("fox: only in val",)
    some("train/horse", 2, 200)
    yield "class-not-held-out", ("horse: not in val",)
    yield "small-class", ("horse: 2",)
    dogs = len(list((root / "train/dog").iterdir()))
    cats = len(list((root / "train/cat").iterdir()))
    yield "imbalance", (f"cat: {cats}" if cats >= dogs else f"dog: {dogs}",)
    yield "imbalance", ("horse: 2",)
    some("train/Dogs", 12, 300)
    yield "class-spelt-twice", ("Dogs / dog",)
    yield "class-not-held-out", ("Dogs: not in val",)
    Image.fromarray(noise(400)).save(root / "train/loose.jpg")
    Image.fromarray(noise(401)).save(root / "loose.jpg")
    yield "unlabelled", ("train/loose.jpg",)
    yield "unlabelled", ("loose.jpg",)
    (root / "train/cat/notes.txt").write_text("by hand")
    yield "other-file", ("train/cat/notes.txt",)


LEVELS = {
    "error": {
        *("empty-file", "no-picture-file", "damaged-file", "too-large-file", "empty-class-folder"),
        *("class-not-in-training", "copy-across-splits", "copy-with-two-labels"),
    },
    "warning": {
        *("tiny-picture", "huge-picture", "long-picture", "blank-picture", "copy-in-split", "unlabelled"),
        *("near-copy-across-splits", "near-copy-with-two-labels", "class-not-held-out", "small-class"),
        *("imbalance", "class-spelt-twice"),
    },
    "note": {
        *("cmyk-picture", "palette-picture", "16-bit-picture", "transparent-picture", "animated-picture"),
        *("grey-among-coloured", "wrong-suffix", "near-copy-in-split", "other-file"),
    },
}


@pytest.fixture(scope="module")
def report(faulty: tuple[Path, dict]) -> DataReport:
    return report_on(faulty[0])


def test_every_planted_fault_is_found_and_no_other(faulty: tuple[Path, dict], report: DataReport) -> None:
    assert found_in(report) == faulty[1]
    assert len(faulty[1]) == 29


def test_faults_come_worst_first(report: DataReport) -> None:
    assert {level: {f.kind for f in report.faults if f.level == level} for level in LEVELS} == LEVELS
    order = [list(LEVELS).index(fault.level) for fault in report.faults]
    assert order == sorted(order)


def test_the_text_names_each_fault_with_a_file_and_a_remedy(report: DataReport) -> None:
    text = "\n".join(as_text(report))
    for fault in report.faults:
        block = text[text.index(f"[{fault.kind}]") :].split("\n\n")[0]
        assert case_text(fault.cases[0]) in block
        assert f"→ {fault.remedy}" in block
    assert "8 errors, 12 warnings, 9 notes" in text.splitlines()[1]


def test_the_page_is_whole_and_needs_nothing_else(faulty: tuple[Path, dict], report: DataReport) -> None:
    page = as_page(report)
    assert all(fault.message in page for fault in report.faults)
    assert not re.search(r'(src|href)="(?!data:image/)', page)
    assert "<script" not in page
    assert 'alt="val/cat/leaked.jpg"' in page


def test_a_name_cannot_write_into_the_page(clean: Path, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    for label in (evil, "b"):
        (tmp_path / label).mkdir()
        for number in range(3):
            Image.fromarray(noise(number + len(label))).save(tmp_path / label / f"{evil}{number}.jpg")
    (tmp_path / evil / f"{evil}.jpg").write_bytes(b"")
    page = as_page(report_on(tmp_path))
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_shapes_and_sizes_are_counted(tmp_path: Path) -> None:
    for number, (width, height) in enumerate([(400, 300), (401, 300), (300, 400), (600, 200), (64, 64)]):
        folder = tmp_path / ("a" if number % 2 else "b")
        folder.mkdir(exist_ok=True)
        Image.fromarray(noise(number, height, width)).save(folder / f"{number}.png")
    sizes = report_on(tmp_path).sizes
    assert sizes is not None
    assert sizes.aspects == {"3:4": 1, "1:1": 1, "4:3": 2, "3:2": 0, "2:1": 0, "3:1": 1}
    assert sizes.short_sides == {"64 to 127": 1, "128 to 255": 1, "256 to 511": 3}
    assert sizes.width == (64, 400, 600)
    assert sizes.formats == {"png": 5}
    assert sizes.bytes == sum(file.stat().st_size for file in tmp_path.glob("*/*"))


def test_a_turned_photograph_counts_as_it_is_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for label in "ab":
        (tmp_path / label).mkdir()
        Image.fromarray(noise(ord(label), 300, 400)).save(tmp_path / label / "1.jpg", exif=exif.tobytes())
    sizes = report_on(tmp_path).sizes
    assert sizes is not None
    assert sizes.aspects == {"3:4": 2}


def test_a_table_with_missing_and_unlisted_files(drawn: Path, tmp_path: Path) -> None:
    names = [f"{label}.{number}.jpg" for label in ("cat", "dog") for number in range(12)]
    for name in names:
        shutil.copy(drawn / name, tmp_path)
    lines = [f"{name},{name[:3]}" for name in names if name != "dog.3.jpg"]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *lines, "gone.jpg,cat"]))
    report = check_data(CsvFile(name="csv", file=str(tmp_path / "labels.csv")).survey())
    assert found_in(report) == {"missing-file": {("gone.jpg",)}, "unlabelled": {("dog.3.jpg",)}}
    assert report.counts == {"cat": {"train": 12}, "dog": {"train": 11}}


def test_names_that_match_no_pattern(drawn: Path, tmp_path: Path) -> None:
    for name in [f"{label}.{number}.jpg" for label in ("cat", "dog") for number in range(10)]:
        shutil.copy(drawn / name, tmp_path)
    shutil.copy(drawn / "dog.15.jpg", tmp_path / "dgo.15.jpg")
    source = Pattern(name="pattern", root=str(tmp_path), pattern=r"(?P<label>cat|dog)\..*")
    assert found_in(check_data(source.survey())) == {"unlabelled": {("dgo.15.jpg",)}}


def test_pictures_in_memory_have_no_files() -> None:
    report = check_data(Digits(name="digits").survey())
    assert report.sizes is None
    assert "there are no files to read" in "\n".join(as_text(report))
    assert sum(counts["train"] for counts in report.counts.values()) == report.pictures


def test_pictures_that_nobody_labels_lack_no_labels(drawn: Path, tmp_path: Path) -> None:
    files = [drawn / f"cat.{number}.jpg" for number in range(12)]
    shutil.copy(files[0], copy := tmp_path / "again.jpg")
    parts = {"train": SurveyPart([f.name for f in files], files=files), "val": SurveyPart(["again.jpg"], files=[copy])}

    def seen(place: int) -> np.ndarray:
        return decode(files[place])

    report = check_data(Survey("drawings", parts, seen=seen))
    assert found_in(report) == {"copy-across-splits": {("again.jpg", "cat.0.jpg")}}
    text, page = "\n".join(as_text(report)), as_page(report)
    for word in ("class", "data.split"):
        assert word not in text
        assert word not in re.sub(r'class="|<style>.*</style>', "", page, flags=re.DOTALL).lower()
    assert page.count('class="row sheet"') == 1


def test_labels_of_any_sequence_are_compared(drawn: Path, tmp_path: Path) -> None:
    shutil.copy(drawn / "cat.0.jpg", tmp_path / "again.jpg")
    files = [drawn / "cat.0.jpg", tmp_path / "again.jpg"]
    report = check_data(Survey("", {"train": SurveyPart(["a", "b"], [["cat"], ["dog", "wild"]], files=files)}))
    assert ("a", "b") in found_in(report)["copy-with-two-labels"]
    assert list(report.counts) == ["cat", "dog", "wild"]


@pytest.mark.parametrize("exact", [True, False])
def test_a_copy_under_two_labels_and_in_two_splits_is_told_as_both(drawn: Path, tmp_path: Path, exact: bool) -> None:
    copy = tmp_path / "again.webp"
    if exact:
        shutil.copy(drawn / "cat.0.jpg", copy)
    else:
        Image.open(drawn / "cat.0.jpg").save(copy, quality=90)
    train = SurveyPart(["a", "c"], [["cat"], ["dog"]], files=[drawn / "cat.0.jpg", drawn / "dog.0.jpg"])
    val = SurveyPart(["b"], [["dog"]], files=[copy])
    faults = check_data(Survey("", {"train": train, "val": val})).faults
    told = {fault.kind: fault.cases for fault in faults}
    near = "" if exact else "near-"
    for kind, detail in (("copy-with-two-labels", "cat / dog"), ("copy-across-splits", "train / val")):
        assert [(case.files, case.detail) for case in told[near + kind]] == [(("a", "b"), detail)]


def test_advice_names_the_keys_that_the_task_has(drawn: Path, tmp_path: Path) -> None:
    files = [drawn / f"cat.{i}.jpg" for i in range(20)] + [drawn / "dog.0.jpg"]
    Image.open(files[0]).convert("L").save(tmp_path / "grey.png")
    files.append(tmp_path / "grey.png")
    shutil.copy(drawn / "dog.0.jpg", tmp_path / "again.jpg")
    labels = [["cat"]] * 20 + [["dog"]] + [["cat"]]
    train = SurveyPart([file.name for file in files], labels, files=files)
    parts = {"train": train, "val": SurveyPart(["again.jpg"], [["dog"]], files=[tmp_path / "again.jpg"])}
    keys = SurveyKeys("my.copies", "my.side", "my.grey", "my.draw")
    for given, named in ((keys, True), (SurveyKeys(), False)):
        faults = check_data(Survey("", parts, input_side=1000, keys=given)).faults
        remedies = {fault.kind: fault.remedy for fault in faults}
        for kind, key in (
            ("copy-across-splits", "my.copies"),
            ("smaller-than-input", "my.side="),
            ("grey-among-coloured", "`my.grey: true`"),
            ("imbalance", "my.draw"),
        ):
            assert (key in remedies[kind]) is named, kind
        assert "data." not in "".join(remedies.values())


def test_a_part_of_unequal_lengths_is_refused() -> None:
    with pytest.raises(ValueError, match="2 names, but 1 labels"):
        SurveyPart(["a", "b"], [("cat",)])


def test_what_only_pillow_stumbles_over_is_no_fault(clean: Path, tmp_path: Path) -> None:
    found, encoded = cv2.imencode(".png", cv2.imread(str(next(clean.rglob("*.jpg")))))
    assert found
    data = encoded.tobytes()
    body = b"zTXt" + b"note\0\0" + zlib.compress(b"\0" * 2**21)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    header = 8 + 25  # signature and IHDR
    (tmp_path / "a.png").write_bytes(data[:header] + chunk + data[header:])
    decode(tmp_path / "a.png")
    report = check_data(Survey("", {"train": SurveyPart(["a.png"], files=[tmp_path / "a.png"])}))
    assert report.faults == []
