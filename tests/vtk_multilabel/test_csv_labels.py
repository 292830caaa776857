"""Labels from CSVs: the three shapes, and everything that tables get wrong."""

from __future__ import annotations

import time
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from toolkit.data.splits.manifest import apply_manifest, manifest_of, read_manifest, write_manifest
from toolkit.errors import ExitCode, VtkError
from vtk_multilabel.csv_labels import CsvLabels

NAMES = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
EXPECTED = {"a.jpg": {"cat", "dog"}, "b.jpg": {"dog"}, "c.jpg": set(), "d.jpg": {"cat", "owl"}}

COLUMNS = "path,cat,dog,owl\na.jpg,1,1,0\nb.jpg,0,1,0\nc.jpg,0,0,0\nd.jpg,1,0,1\n"
SEPARATED = "path,labels\na.jpg,cat|dog\nb.jpg,dog\nc.jpg,\nd.jpg,owl|cat\n"
PAIRS = "path,label\na.jpg,dog\na.jpg,cat\nb.jpg,dog\nc.jpg,\nd.jpg,owl\nd.jpg,cat\n"
SHAPES = {"columns": COLUMNS, "separated": SEPARATED, "pairs": PAIRS}


@pytest.fixture
def folder(tmp_path):
    """Four files; nothing here opens them."""
    for name in NAMES:
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def source(folder: Path, text: str | bytes, shape: str = "separated", **keys: object) -> CsvLabels:
    file = folder / "labels.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    labels = {"name": shape, **keys.pop("labels", {})}
    return TypeAdapter(CsvLabels).validate_python({"name": "csv", "file": str(file), "labels": labels, **keys})


def as_sets(index) -> dict[str, set[str]]:
    return {
        path: {name for name, on in zip(index.classes, row, strict=True) if on}
        for path, row in zip(index.paths, index.targets.tolist(), strict=True)
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_the_three_shapes_say_the_same(folder, shape):
    found = source(folder, SHAPES[shape], shape).load()
    assert as_sets(found.train) == EXPECTED
    assert found.train.classes == ("cat", "dog", "owl")
    assert found.train.targets.dtype == np.int64
    assert found.val is None


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_delimiters_line_ends_and_byte_order_marks_make_no_difference(folder, shape, delimiter, ends, mark):
    text = SHAPES[shape].replace(",", delimiter).replace("\n", ends)
    assert as_sets(source(folder, mark + text.encode(), shape).load().train) == EXPECTED


def test_blank_lines_spaces_and_quotes_are_understood(folder):
    text = '\n"path" , labels\n\n "a.jpg","cat | dog"\nb.jpg, dog \n\nc.jpg,""\nd.jpg,"owl|cat"\n\n'.replace(
        ' "a', '"a'
    )
    assert as_sets(source(folder, text.replace('"path" ,', "path ,")).load().train) == EXPECTED


def test_a_separator_of_ones_own_and_labels_with_other_signs(folder):
    text = 'path;tags\na.jpg;"red, small + round"\nb.jpg;round\n'
    found = source(folder, text, labels={"column": "tags", "separator": "+"}).load()
    assert as_sets(found.train) == {"a.jpg": {"red, small", "round"}, "b.jpg": {"round"}}


@pytest.mark.parametrize("yes", ["1", "true", "TRUE", "yes", "1.0"])
def test_one_hot_columns_take_several_words_for_yes(folder, yes):
    found = source(folder, f"path,x,y\na.jpg,{yes},0\nb.jpg,,no\n", "columns").load()
    assert found.train.targets.tolist() == [[1, 0], [0, 0]]


def test_one_hot_columns_may_be_chosen(folder):
    text = "path,width,cat,dog\na.jpg,640,1,0\nb.jpg,480,0,1\n"
    found = source(folder, text, "columns", labels={"columns": ["dog", "cat"]}).load()
    assert found.train.classes == ("dog", "cat")
    assert found.train.targets.tolist() == [[0, 1], [1, 0]]


def test_labels_are_sorted_as_people_sort_numbers(folder):
    assert source(folder, "path,labels\na.jpg,10|9|x2\n").load().train.classes == ("9", "10", "x2")


def test_a_split_column_and_files_for_each_split_share_one_map_of_labels(folder):
    with_column = source(
        folder, "path,labels,part\na.jpg,cat|dog,train\nb.jpg,dog,validation\nc.jpg,,test\n", split_column="part"
    ).load()
    assert as_sets(with_column.train) == {"a.jpg": {"cat", "dog"}}
    assert as_sets(with_column.val) == {"b.jpg": {"dog"}}
    assert as_sets(with_column.test) == {"c.jpg": set()}
    (folder / "val.csv").write_text("path,labels\nb.jpg,dog\n")
    with_file = source(folder, "path,labels\na.jpg,cat|dog\n", val_file=str(folder / "val.csv")).load()
    assert with_file.val.classes == with_file.train.classes == ("cat", "dog")
    assert with_file.val.targets.tolist() == [[0, 1]]


@pytest.fixture
def two_folders(folder):
    """Two tables, each in a folder of its own, that name equal paths."""
    for name, label in (("a", "cat"), ("b", "dog")):
        (folder / name).mkdir()
        (folder / name / "0.png").write_bytes(b"x")
        (folder / name / "1.png").write_bytes(b"x")
        lines = [f"{i}.png,{label if i else 'cat|dog'},{name}{i}" for i in range(2)]
        (folder / name / "l.csv").write_text("\n".join(["path,labels,patient", *lines]))
    return folder


def of_files(**files: Path) -> CsvLabels:
    values = {key: str(file) for key, file in files.items()}
    return TypeAdapter(CsvLabels).validate_python({"name": "csv", "labels": {"name": "separated"}, **values})


@pytest.mark.parametrize("relative", [False, True])
def test_equal_paths_of_two_tables_are_told_apart(two_folders, monkeypatch, relative):
    monkeypatch.chdir(two_folders)
    base = Path() if relative else two_folders
    source = of_files(file=base / "a" / "l.csv", val_file=base / "b" / "l.csv")
    found = source.load()
    assert (found.train.keys, found.val.keys) == (["a/0.png", "a/1.png"], ["b/0.png", "b/1.png"])
    assert all(file.is_file() for part in (found.train, found.val) for file in part.files)
    assert found.val.files[0].samefile(two_folders / "b" / "0.png")
    assert source.column("patient") == {"a/0.png": "a0", "a/1.png": "a1", "b/0.png": "b0", "b/1.png": "b1"}
    write_manifest(two_folders / "split.json", manifest_of(found, 0))
    again = apply_manifest(found, read_manifest(two_folders / "split.json"))
    assert (again.train.files, again.val.files) == (found.train.files, found.val.files)
    assert [set(part.names) for part in source.survey().parts.values()] == [set(found.train.keys), set(found.val.keys)]


def test_pictures_beside_a_table_are_not_listed_by_another_folders_table(two_folders):
    (two_folders / "a" / "l.csv").write_text("path,labels\n0.png,cat|dog\n")
    faults = of_files(file=two_folders / "a" / "l.csv", val_file=two_folders / "b" / "l.csv").survey().faults
    assert [(fault.kind, [case.files for case in fault.cases]) for fault in faults] == [("unlabelled", [("1.png",)])]


def test_an_image_in_two_tables_is_refused(two_folders):
    one, other = two_folders / "a" / "l.csv", two_folders / "b" / "l.csv"
    for call in (CsvLabels.load, CsvLabels.survey):
        with pytest.raises(VtkError, match=r"0\.png stands in .*l\.csv already, on line 2") as caught:
            call(of_files(file=one, val_file=one))
        assert caught.value.place == f"{one}:2"
    other.write_text("path,labels\n../a/1.png,cat\n")
    with pytest.raises(VtkError, match=r"\.\./a/1\.png stands in .*l\.csv already, on line 3"):
        of_files(file=one, val_file=other).load()


def test_the_recipe_may_fix_the_labels_and_their_order(folder):
    found = source(folder, SEPARATED, classes=["owl", "dog", "cat", "emu"]).load()
    assert found.train.classes == ("owl", "dog", "cat", "emu")
    assert as_sets(found.train) == EXPECTED


BAD = {
    "label-of-validation": (
        "path,labels,part\na.jpg,cat,train\nb.jpg,emu,val\n",
        "separated",
        {"split_column": "part"},
        "labels.csv:3: the val split has the label 'emu', which training has not",
    ),
    "label-outside-classes": (
        "path,labels\na.jpg,cat\nb.jpg,emu\n",
        "separated",
        {"classes": ["cat", "dog"]},
        "labels.csv:3: the train split has the label 'emu', which the recipe's classes leave out",
    ),
    "duplicate": ("path,labels\na.jpg,cat\n./a.jpg,cat\n", "separated", {}, "labels.csv:3: ./a.jpg stands on line 2"),
    "contradiction": ("path,labels\na.jpg,cat\na.jpg,\n", "separated", {}, "already with other labels"),
    "duplicate-pair": (
        "path,label\na.jpg,cat\na.jpg,cat\n",
        "pairs",
        {},
        "labels.csv:3: a.jpg with 'cat' stands on line 2",
    ),
    "label-and-none": ("path,label\na.jpg,cat\na.jpg,\n", "pairs", {}, "labels.csv:3: a.jpg has a label and none"),
    "blank-label": ("path,labels\na.jpg,cat||dog\n", "separated", {}, "labels.csv:2: a blank label in 'cat||dog'"),
    "label-twice": ("path,labels\na.jpg,cat|cat\n", "separated", {}, "labels.csv:2: a label twice"),
    "no-zero-or-one": ("path,cat\na.jpg,2\n", "columns", {}, "labels.csv:2: 'cat' is '2'"),
    "words-without-a-header": ("path,cat,\na.jpg,1,\nb.jpg,0,5\n", "columns", {}, "labels.csv:3: '5' in column 3"),
    "no-path": ("path,labels\n,cat\n", "separated", {}, "labels.csv:2: nothing in the column 'path'"),
    "no-column": ("path,label\na.jpg,cat\n", "separated", {}, "no column 'labels'; did you mean 'label'?"),
    "no-path-column": ("file,labels\na.jpg,cat\n", "separated", {}, "there is no column 'path'"),
    "column-twice": ("path,labels,labels\na.jpg,cat,dog\n", "separated", {}, "two columns 'labels'"),
    "short-line": ("path,labels,x\na.jpg,cat\n", "separated", {}, "labels.csv:2: 2 fields, the header has 3"),
    "no-rows": ("path,labels\n", "separated", {}, "no lines below the header"),
    "empty": ("", "separated", {}, "the file is empty"),
    "no-labels": ("path,labels\na.jpg,\n", "separated", {}, "no image has a label"),
    "split-name": ("path,labels,s\na.jpg,cat,dev\n", "separated", {"split_column": "s"}, "labels.csv:2: s is 'dev'"),
    "no-training": ("path,labels,s\na.jpg,cat,val\n", "separated", {"split_column": "s"}, "no line has s = train"),
    "pair-in-two-splits": (
        "path,label,s\na.jpg,cat,train\na.jpg,dog,val\n",
        "pairs",
        {"split_column": "s"},
        "labels.csv:3: a.jpg is in 'train' on line 2 already",
    ),
    "quotes": ('path,labels\na.jpg,"cat\n', "separated", {}, "broken CSV"),
    "not-utf-8": (b"path,labels\na.jpg,caf\xe9\n", "separated", {}, "not a UTF-8 text file"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_spreadsheets_surplus_delimiters_are_no_labels(folder, shape):
    surplus = "".join(f"{line},, \n" for line in SHAPES[shape].splitlines())
    found = source(folder, surplus + ",,,,,\n"[-surplus.splitlines()[0].count(",") - 1 :], shape).load()
    assert found.train.classes == ("cat", "dog", "owl")
    assert as_sets(found.train) == EXPECTED
    header, rows = surplus.split("\n", 1)
    assert as_sets(source(folder, header.rstrip(", ") + "\n" + rows, shape).load().train) == EXPECTED


def test_an_index_without_a_name_does_not_matter_where_the_labels_are_named(folder):
    text = "".join(f"{'' if number == 0 else number},{line}\n" for number, line in enumerate(COLUMNS.splitlines()))
    labels = {"columns": ["cat", "dog", "owl"]}
    assert as_sets(source(folder, text, "columns", labels=labels).load().train) == EXPECTED


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("table", ["NFC", "NFD"])
@pytest.mark.parametrize("disk", ["NFC", "NFD"])
def test_unicode_forms_make_no_difference(folder, shape, table, disk):
    def spelt(text: str, form: str) -> str:
        return unicodedata.normalize(form, text.replace("owl", "caf\u00e9").replace("d.jpg", "\u00f6/d\u00fc.jpg"))

    path = folder / spelt("d.jpg", disk)
    path.parent.mkdir()
    path.write_bytes(b"x")
    classes = [spelt("owl", "NFD"), "dog", "cat"]
    found = source(folder, spelt(SHAPES[shape], table), shape, classes=classes).load()
    assert found.train.classes == (spelt("owl", "NFC"), "dog", "cat")
    assert as_sets(found.train) == {
        spelt("d.jpg", disk) if name == "d.jpg" else name: {spelt(label, "NFC") for label in labels}
        for name, labels in EXPECTED.items()
    }
    assert all(file.is_file() for file in found.train.files)


def test_one_image_in_two_unicode_forms_stands_twice(folder):
    (folder / "e\u0301.jpg").write_bytes(b"x")
    with pytest.raises(VtkError, match="stands on line 2 already"):
        source(folder, "path,labels\n\u00e9.jpg,cat\ne\u0301.jpg,cat\n").load()


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_refused_with_their_place(folder, case):
    text, shape, keys, message = BAD[case]
    with pytest.raises(VtkError) as caught:
        source(folder, text, shape, **keys).load()
    assert message in str(caught.value)
    assert caught.value.code == ExitCode.DATA
    assert "labels.csv" in str(caught.value)


def test_missing_files_are_listed_with_their_lines(folder):
    with pytest.raises(VtkError, match=r"2 of 3 files are not there:\n  line 2: x.jpg\n  line 4: y.jpg") as caught:
        source(folder, "path,labels\nx.jpg,cat\na.jpg,cat\ny.jpg,dog\n").load()
    assert caught.value.code == ExitCode.NO_INPUT


def test_a_missing_table_says_how_to_get_it(tmp_path):
    with pytest.raises(VtkError, match="ask the museum") as caught:
        TypeAdapter(CsvLabels).validate_python(
            {"name": "csv", "file": str(tmp_path / "no.csv"), "labels": {"name": "columns"}, "obtain": "ask the museum"}
        ).load()
    assert caught.value.code == ExitCode.NO_INPUT


def test_two_ways_to_split_are_refused(folder):
    with pytest.raises(ValueError, match="either split_column or val_file"):
        source(folder, SEPARATED, split_column="s", val_file="val.csv")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A hundred thousand paths that exist, made of 400 links to a folder of 250 files."""
    root = tmp_path_factory.mktemp("many")
    (root / "0").mkdir()
    for file in range(250):
        (root / "0" / f"{file}.jpg").touch()
    for link in range(1, 400):
        (root / str(link)).symlink_to("0", target_is_directory=True)
    return root, [f"{link}/{file}.jpg" for link in range(400) for file in range(250)]


@pytest.mark.slow  # a time limit holds on a quiet machine alone
@pytest.mark.parametrize("shape", SHAPES)
def test_a_hundred_thousand_rows_load_in_under_two_seconds(many, shape):
    root, paths = many
    labels = [f"label{i}" for i in range(20)]
    chosen = [sorted(row) for row in np.random.default_rng(0).integers(20, size=(len(paths), 3)).tolist()]
    chosen = [list(dict.fromkeys(row)) for row in chosen]
    if shape == "columns":
        rows = [",".join("1" if i in row else "0" for i in range(20)) for row in chosen]
        lines = ["path," + ",".join(labels), *(f"{p},{r}" for p, r in zip(paths, rows, strict=True))]
    elif shape == "separated":
        rows = ["|".join(labels[i] for i in row) for row in chosen]
        lines = ["path,labels", *(f"{p},{r}" for p, r in zip(paths, rows, strict=True))]
    else:
        paths = paths[:50_000]
        lines = ["path,label", *(f"{p},{labels[i]}" for j, p in enumerate(paths) for i in (j % 20, (j + 7) % 20))]
    wanted = source(root, "\n".join(lines), shape)
    started = time.process_time()
    found = wanted.load()
    assert time.process_time() - started < 2
    assert len(found.train) == len(paths)


def test_yes_and_no_in_other_words_and_a_column_that_is_no_label(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").touch()
    table = tmp_path / "l.csv"
    table.write_text("path,a,b,c\n0.png,Y,T,on\n1.png,n,f,OFF\n2.png,,1,0\n")
    source = {"name": "csv", "file": str(table), "labels": {"name": "columns"}}
    found = CsvLabels.model_validate(source).load().train
    assert np.asarray(found.targets).tolist() == [[1, 1, 1], [0, 0, 0], [0, 1, 0]]
    table.write_text("path,id,a\n0.png,7,1\n")
    with pytest.raises(VtkError) as error:
        CsvLabels.model_validate(source).load()
    assert "data.source.labels.columns" in str(error.value.hint)


def test_one_image_by_its_absolute_path_too(tmp_path: Path) -> None:
    (tmp_path / "0.png").touch()
    (tmp_path / "l.csv").write_text(f"path,a\n0.png,1\n{tmp_path}/0.png,0\n")
    with pytest.raises(VtkError, match=r"stands on line 2 already, as 0.png"):
        CsvLabels.model_validate({"name": "csv", "file": str(tmp_path / "l.csv"), "labels": {"name": "columns"}}).load()
