"""Splits keep each label's share; labels are aligned by name; samplers and thresholds do what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from toolkit.data.splits.manifest import MANIFEST
from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.load import load_text
from toolkit.run.setup import build_data, new_run
from vtk_multilabel.data import aligned


def targets_of(dataset):
    return np.asarray(dataset.targets)


def test_each_label_keeps_its_share_in_each_split(make_run, colour_text, colour_folder):
    data = make_run(text=colour_text).data
    _, labels = colour_folder
    totals = np.array([sum(name in chosen for chosen in labels.values()) for name in data.meta["classes"]])
    assert data.meta["classes"] == ["blue", "green", "red"]
    np.testing.assert_allclose(targets_of(data.val).sum(axis=0), 0.25 * totals, atol=1.01)
    assert len(data.val) == pytest.approx(15, abs=2)
    assert len(data.train) + len(data.val) == 60


def test_images_without_labels_are_kept(make_run, colour_text, colour_folder):
    data = make_run(text=colour_text).data
    bare = sum(not chosen for chosen in colour_folder[1].values())
    assert bare > 3
    found = sum(int((targets_of(part).sum(axis=1) == 0).sum()) for part in (data.train, data.val))
    assert found == bare
    assert sum(data.plan["images without labels"].values()) == bare


def test_the_cut_is_written_down_and_kept(make_run, colour_text, tmp_path):
    first = make_run(text=colour_text, directory=tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    assert len(manifest["samples"]["val"]) == len(first.data.val)
    again = make_run("seed=7", text=colour_text, directory=tmp_path)
    assert again.data.val.paths == first.data.val.paths


def test_meta_says_all_that_a_bundle_needs(make_run, any_json):
    meta = make_run().data.meta
    assert any_json(meta) == meta
    assert meta["classes"] == list("0123456789")
    assert meta["thresholds"] == [0.5] * 10
    assert meta["images"] == 96
    assert len(meta["positives"]) == 10
    assert 96 < sum(meta["positives"]) < 4 * 96


def test_no_scan_is_in_the_scenes_of_two_splits(make_run):
    data = make_run("data.source.train=300", "data.source.test=300").data
    train = {image.tobytes() for image in data.train.images}
    assert len(train) == 300
    assert not train & {image.tobytes() for image in (*data.val.images, *data.test.images)}


def test_thresholds_can_be_fixed_for_all_or_by_name(make_run):
    assert make_run("thresholds=0.3").data.meta["thresholds"] == [0.3] * 10
    assert make_run("thresholds={'3': 0.9}").data.meta["thresholds"][3] == 0.9
    with pytest.raises(VtkError, match="there is no label 'three'") as caught:
        make_run("thresholds={three: 0.9}")
    assert caught.value.code == ExitCode.RECIPE


def test_thresholds_are_not_tuned_without_validation(make_run, colour_text):
    with pytest.raises(VtkError, match="thresholds are tuned on validation data, and there are none"):
        make_run("data.split.val=0", text=colour_text)
    assert make_run("data.split.val=0", "thresholds=0.5", text=colour_text).data.val is None


def test_the_weighted_sampler_draws_rare_labels_more_often(make_run, colour_text):
    from toolkit.data.loading.balance import label_rarity

    data = make_run("data.sampler=weighted", text=colour_text).data
    targets = targets_of(data.train.dataset)
    weights = label_rarity(targets)
    drawn = np.concatenate([data.train.draw.samples(0, epoch)[0] for epoch in range(200)])
    counts = np.bincount(drawn, minlength=len(targets))
    expected = len(drawn) * weights / weights.sum()
    np.testing.assert_allclose(counts, expected, atol=5 * np.sqrt(expected.max()))


@pytest.mark.parametrize("sampler", ["oversample", "undersample"])
def test_samplers_without_meaning_here_are_refused(sampler, colour_text):
    with pytest.raises(VtkError, match="evens out classes of which each image has one") as caught:
        load_text(colour_text, sets=[f"data.sampler={sampler}"])
    assert caught.value.code == ExitCode.RECIPE


def test_two_remedies_at_once_are_warned_of(make_run, console):
    make_run("data.sampler=weighted")
    assert "warning" not in console.file.getvalue()
    make_run("data.sampler=weighted", "loss.pos_weight=auto")
    assert "warning: data.sampler and loss.pos_weight both favour rare labels" in console.file.getvalue()


def test_a_limit_keeps_the_labels_in_proportion(make_run):
    data = make_run("data.limit=40").data
    assert (len(data.train), len(data.val)) == (pytest.approx(40, abs=2), pytest.approx(40, abs=2))
    assert (targets_of(data.train).sum(axis=0) > 0).all()


def test_other_data_are_aligned_by_name(make_run, colour_text):
    from pydantic import TypeAdapter

    from vtk_multilabel.sources import SourceChoice

    source = TypeAdapter(SourceChoice).validate_python(
        load_text(colour_text).recipe.data.source.model_dump() | {"name": "csv"}
    )
    index = source.load().train
    other = aligned(index, ("red", "violet", "blue", "green"))
    np.testing.assert_array_equal(other.targets[:, [2, 3, 0]], index.targets)
    assert not other.targets[:, 1].any()
    with pytest.raises(VtkError, match="labels that the model does not know: 'red'"):
        aligned(index, ("blue", "green"))


def test_other_data_are_found_where_their_table_is(make_run, colour_text, colour_folder, tmp_path, monkeypatch):
    """A table of a folder below the working directory, as `vtk eval RUN --labels` is given it."""
    trained = make_run(text=colour_text).data.meta
    monkeypatch.chdir(colour_folder[0].parent)
    sets = [f"data.source.file={colour_folder[0].name}/labels.csv"]
    run = new_run(load_text(colour_text, name="other", sets=sets), console=Console(quiet=True))
    run.trained_meta = trained
    build_data(run)
    assert len(run.data.test) == len(colour_folder[1])
    assert run.data.test[0][0].shape[-1] > 0


def test_another_table_is_evaluated_without_the_recipes_held_out_ones(make_run, colour_text, colour_folder, tmp_path):
    """The table of validation itself, too, as `vtk eval RUN --labels val.csv` names it."""
    folder, _ = colour_folder
    head, *rows = (folder / "labels.csv").read_text().splitlines()
    for name, part in (("train.csv", rows[:-8]), ("val.csv", rows[-8:])):
        (tmp_path / name).write_text("\n".join([head, *part]))
    sets = [f"data.source.{key}={tmp_path / name}" for key, name in (("file", "train.csv"), ("val_file", "val.csv"))]
    sets += [f"data.source.root={folder}", "data.split={val: 0}"]
    trained = make_run(*sets, text=colour_text).data.meta
    resolved = load_text(colour_text, name="other", sets=sets[1:], flags=[("--labels", str(tmp_path / "val.csv"))])
    run = new_run(resolved, console=Console(quiet=True))
    run.trained_meta = trained
    build_data(run)
    assert len(run.data.test) == 8


def test_the_column_of_groups_is_no_label(make_run, colour_text, colour_folder, tmp_path):
    folder, labels = colour_folder
    names = ("red", "green", "blue")
    patients = {path: f"p{number % 12}" for number, path in enumerate(labels)}
    rows = [
        f"{path},{patients[path]},{','.join(str(int(name in chosen)) for name in names)}"
        for path, chosen in labels.items()
    ]
    (tmp_path / "hot.csv").write_text("\n".join([f"path,patient,{','.join(names)}", *rows]))
    sets = [
        f"data.source={{name: csv, file: {tmp_path / 'hot.csv'}, root: {folder}, labels: {{name: columns}}}}",
        "data.split={val: 0.25, group: {column: patient}}",
    ]
    data = make_run(*sets, text=colour_text).data
    assert data.meta["classes"] == list(names)
    train, val = ({patients[Path(path).name] for path in part.paths} for part in (data.train, data.val))
    assert not train & val


def test_too_few_images_to_split_are_refused(make_run, colour_text, colour_folder, tmp_path):
    folder, _ = colour_folder
    (tmp_path / "one.csv").write_text("path,labels\n1.png,red\n")
    sets = [f"data.source.file={tmp_path / 'one.csv'}", f"data.source.root={folder}"]
    with pytest.raises(VtkError, match="1 images are too few to be split"):
        make_run(*sets, text=colour_text)
