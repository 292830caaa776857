"""What is wrong is said clearly, with a remedy and an exit code, and nothing is left behind."""

from __future__ import annotations

import hashlib
import urllib.error

import pytest
import torch
from PIL import Image

from toolkit import ExitCode, VtkError
from toolkit.recipe.problems import RecipeError
from vtk_style.weights import _FEATURE_INDICES, load_parameters, random_parameters


@pytest.fixture
def small(tmp_path):
    """Pictures by name: one pixel, a thin stripe, a little one."""
    for name, size in (("pixel", (1, 1)), ("stripe", (400, 2)), ("little", (20, 20)), ("fine", (60, 40))):
        Image.effect_noise(size, 60).convert("RGB").save(tmp_path / f"{name}.png")
    (tmp_path / "words.png").write_text("hello")
    Image.new("1", (20000, 20000)).save(tmp_path / "endless.png")
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"data": {"content": "nowhere.jpg"}}, ExitCode.NO_INPUT, "nowhere.jpg.*No such file"),
        ({"data": {"styles": ["fine.png", "nowhere.jpg:0.5"]}}, ExitCode.NO_INPUT, "nowhere.jpg"),
        ({"data": {"content": "sklearn:cat.jpg"}}, ExitCode.NO_INPUT, "sklearn:china.jpg"),
        ({"data": {"content": "."}}, ExitCode.NO_INPUT, "directory"),
        ({"data": {"content": "pixel.png"}}, ExitCode.DATA, "1×1 pixels.*too few"),
        ({"data": {"content": "stripe.png"}}, ExitCode.DATA, "400×2 pixels.*too few"),
        ({"data": {"styles": ["pixel.png"]}}, ExitCode.DATA, "1×1 pixels"),
        (
            {"data": {"styles": ["little.png"]}, "model": {"style_layers": ["conv_5"]}},
            ExitCode.DATA,
            "20×20 pixels.*24 that the deepest layer sees",
        ),
        (
            {"model": {"style_layers": ["conf_1", "conv_2", "conv_99"]}},
            ExitCode.RECIPE,
            "model.style_layers.*no layer 'conf_1', 'conv_99'",
        ),
        ({"data": {"content": "words.png"}}, ExitCode.DATA, "words.png.*this is no picture"),
        ({"data": {"content": "endless.png"}}, ExitCode.DATA, "endless.png.*more pixels than the 150 million"),
        ({"data": {"content": "fine.png"}, "output": {"path": "./fine.png"}}, ExitCode.CANNOT_CREATE, "the run reads"),
        ({"output": {"path": "no/such/folder/out.png"}}, ExitCode.CANNOT_CREATE, "folder does not exist"),
        ({"output": {"path": "."}}, ExitCode.RECIPE, "cannot be written as"),
        ({"output": {"path": "out.webp"}}, ExitCode.RECIPE, "cannot be written as .webp"),
        ({"output": {"path": "out.jpg", "bits": 16}}, ExitCode.RECIPE, "JPEG files cannot hold 16 bits"),
        ({"model": {"weights": "nowhere.pth"}}, ExitCode.NO_INPUT, "nowhere.pth.*weights cannot be read"),
        ({"model": {"weights": "fine.png"}}, ExitCode.DATA, "SHA-256 begins with"),
        ({"init": {"name": "file", "file": "nowhere.png"}}, ExitCode.NO_INPUT, "nowhere.png"),
    ],
)
def test_refused_before_anything_is_done(style, small, changes, code, says):
    before = sorted(small.iterdir())
    with pytest.raises(VtkError, match=f"(?s){says}") as caught:
        style(whole=True, **changes)
    assert caught.value.code is code
    assert caught.value.hint
    if "init" not in changes:  # an initial image is read when the first stage begins
        assert sorted(small.iterdir()) == before


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"loss": {"style": -1.0}}, "loss.style"),
        ({"data": {"styles": ["fine.png:-0.5"]}}, "the weight in 'fine.png:-0.5' must be a number above 0"),
        ({"data": {"styles": ["fine.png:nan"]}}, "must be a number above 0"),
        ({"loss": {"content": 0, "style": 0}}, "nothing to optimise"),
        ({"data": {"styles": []}}, "data.styles"),
        ({"pyramid": {"size": 4}}, "pyramid.size"),
        ({"pyramid": {"size": 64}, "stages": [{"size": 64, "steps": 3}]}, "either pyramid or stages"),
        ({"train": {"precision": "fp16"}}, "train.precision"),
        ({"init": {"name": "noise", "file": "a.png"}}, "init.file"),
        ({"loss": {"contents": 1.0}}, "content"),
    ],
)
def test_a_wrong_recipe_is_named_by_key(style, small, changes, says):
    with pytest.raises(RecipeError, match=says) as caught:
        style(**changes)
    assert caught.value.code is ExitCode.RECIPE


def test_a_picture_that_cannot_fit_is_refused_with_the_size_that_does(style, small, monkeypatch):
    monkeypatch.setattr("vtk_style.session.free_memory", lambda device: 900 << 20)
    with pytest.raises(VtkError, match="of 900 MiB free 720 may be used") as caught:
        style(pyramid={"size": 4000})
    assert caught.value.code is ExitCode.OUT_OF_MEMORY
    assert "--size" in caught.value.hint


def save_weights(folder, state, name=None):
    torch.save(state, folder / "w.pth")
    digest = hashlib.sha256((folder / "w.pth").read_bytes()).hexdigest()[:8]
    return (folder / "w.pth").rename(folder / (name or f"features-{digest}.pth"))


def state_of(parameters, prefix=""):
    return {
        f"{prefix}{_FEATURE_INDICES[conv]}.{kind}": value
        for conv, pair in enumerate(parameters)
        for kind, value in zip(("weight", "bias"), pair, strict=True)
    }


@pytest.mark.parametrize("prefix", ["features.", ""])
def test_a_checked_local_copy_is_taken(tmp_path, prefix):
    wanted = random_parameters(5, 3)
    path = save_weights(tmp_path, state_of(wanted, prefix))
    for (weight, bias), (w, b) in zip(load_parameters(str(path), 4, 0), wanted, strict=False):
        assert torch.equal(weight, w)
        assert torch.equal(bias, b)


def test_a_copy_with_other_content_than_its_name_says_is_refused(tmp_path):
    path = save_weights(tmp_path, state_of(random_parameters(2, 0)), "vgg19-dcbb9e9d.pth")
    with pytest.raises(VtkError, match="instead of dcbb9e9d") as caught:
        load_parameters(str(path), 2, 0)
    assert caught.value.code is ExitCode.DATA


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda s: s.update({"2.weight": torch.zeros(64, 3, 3, 3)}),
            r"shape \(64, 3, 3, 3\) instead of \(64, 64, 3, 3\)",
        ),
        (lambda s: s.pop("2.bias"), "has no features.2.bias"),
        (lambda s: s.update(note="hello"), "holds no state dict"),
    ],
)
def test_a_copy_of_another_network_is_refused(tmp_path, change, says):
    state = state_of(random_parameters(2, 0))
    change(state)
    with pytest.raises(VtkError, match=says):
        load_parameters(str(save_weights(tmp_path, state)), 2, 0)


def test_a_copy_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    with pytest.raises(VtkError, match="cannot be read as weights"):
        load_parameters(str(save_weights(tmp_path, {"0.weight": Evil()})), 1, 0)


def test_without_network_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def unreachable(*_args, **_kwargs):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    with pytest.raises(VtkError, match="cannot be fetched") as caught:
        load_parameters("imagenet", 5, 0)
    assert caught.value.code is ExitCode.UNAVAILABLE
    assert "--weights FILE" in caught.value.hint
    assert not list(tmp_path.rglob("*.pth"))


def test_random_filters_are_seeded_and_their_layers_normalised():
    first, again, other = random_parameters(3, 1), random_parameters(3, 1), random_parameters(3, 2)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0][0], other[0][0])
    from vtk_style.feature_layers import FeatureLayer
    from vtk_style.vgg import VggFeatures
    from vtk_style.weights import _natural_noise

    taps = [FeatureLayer(1), FeatureLayer(2), FeatureLayer(3)]
    features = VggFeatures(first, taps)(_natural_noise(torch.Generator().manual_seed(9)))
    for tap in taps:
        assert features[tap].mean().abs() < 0.3
        assert 0.6 < features[tap].std() < 1.6
