"""A user without a home."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from toolkit.errors import ExitCode, VtkError
from toolkit.system.home import expanded, find_place_for_plots, library_cache, user_cache

pytestmark = pytest.mark.skipif(os.name != "posix", reason="users and homes as POSIX has them")


@pytest.fixture
def homeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose home is not there; returns the folder of temporary files."""
    for name in ("XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_its_cache_is_a_private_folder_among_the_temporary_files(homeless: Path) -> None:
    found = user_cache()
    assert found == homeless / f"vision-toolkit-{os.getuid()}"
    assert stat.S_IMODE(found.stat().st_mode) == 0o700
    assert library_cache(homeless / "file" / ".cache" / "torch", "torch", "TORCH_HOME") == found / "torch"
    assert library_cache("~/.cache/torch/hub", "torch", "TORCH_HOME") == found / "torch"


def test_a_folder_that_another_has_put_there_is_refused(homeless: Path, tmp_path: Path) -> None:
    (homeless / f"vision-toolkit-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(VtkError) as caught:
        user_cache()
    assert caught.value.code == ExitCode.CANNOT_CREATE
    assert "HOME" in str(caught.value.hint)


def test_a_home_and_what_the_environment_chooses_come_first(
    homeless: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", "/chosen")
    assert library_cache("/chosen/hub", "torch", "TORCH_HOME") == Path("/chosen/hub")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache() == tmp_path / ".cache" / "vision-toolkit"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert user_cache() == Path("/elsewhere/vision-toolkit")


def test_a_tilde_that_stands_for_nothing_is_told() -> None:
    with pytest.raises(VtkError) as caught:
        expanded("~no-such-user-here/photos")
    assert caught.value.code == ExitCode.NO_INPUT
    assert "'no-such-user-here'" in caught.value.message
    assert expanded("a/~b") == Path("a/~b")


def test_fonts_are_listed_there_too(homeless: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MPLCONFIGDIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    find_place_for_plots()
    assert os.environ.pop("MPLCONFIGDIR") == str(user_cache() / "matplotlib")
    monkeypatch.setenv("HOME", str(tmp_path))
    find_place_for_plots()
    assert "MPLCONFIGDIR" not in os.environ
    monkeypatch.setenv("MPLCONFIGDIR", "mine")
    find_place_for_plots()
    assert os.environ["MPLCONFIGDIR"] == "mine"


def test_a_cache_that_the_user_chose_is_taken_at_its_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it cannot be used, whoever needs it names it, and nothing lands elsewhere."""
    from platformdirs import user_cache_path

    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert user_cache() == user_cache_path("vision-toolkit")
