from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import pytest
from plugin_site import Site

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.catalogue import DISABLE, Catalogue, Plugin

BUILTIN_EXTENSIONS = ["checkpoints", "early_stopping", "metrics", "progress", "tensorboard"]


def external(catalogue: Catalogue) -> list[Plugin]:
    return [plugin for plugin in catalogue.plugins if not plugin.builtin]


def refusal(catalogue: Catalogue, name: str) -> VtkError:
    with pytest.raises(VtkError) as caught:
        catalogue.load(name, "task")
    assert caught.value.code == ExitCode.UNAVAILABLE
    assert len(str(caught.value).splitlines()) <= 5
    return caught.value


class TestListing:
    def test_built_ins_come_from_entry_points(self) -> None:
        catalogue = Catalogue(disabled=())
        points = metadata.distribution("vision-toolkit").entry_points
        for kind, group in (("task", "vtk.tasks"), ("extension", "vtk.extensions")):
            listed = {(p.name, p.value) for p in catalogue.plugins if p.builtin and p.kind == kind}
            assert listed == {(point.name, point.value) for point in points if point.group == group}
        assert set(BUILTIN_EXTENSIONS) <= set(catalogue.names("extension"))

    def test_all_that_metadata_tells(self, site: Site) -> None:
        site.install("some-plugin", version="2.1", tasks={"seg": "seg_task:plugin"})
        assert external(Catalogue(disabled=())) == [
            Plugin("seg", "task", "seg_task:plugin", "some-plugin", "2.1", "some-plugin for tests")
        ]

    def test_kinds_keep_their_names_apart(self, site: Site) -> None:
        site.install("both", tasks={"x": "a:b"}, extensions={"x": "c:d"})
        catalogue = Catalogue(disabled=())
        assert catalogue.find("x", "task").value == "a:b"
        assert catalogue.find("x", "extension").value == "c:d"
        assert {p.status for p in external(catalogue)} == {"unchecked"}

    def test_order_does_not_depend_on_the_file_system(self, site: Site) -> None:
        for name in ("zebra", "alpha", "mid-dle"):
            site.install(name, tasks={f"{name}-task": "m:p"}, extensions={"e": "m:e"})
        plugins = Catalogue(disabled=()).plugins
        assert [p.kind for p in plugins] == sorted((p.kind for p in plugins), reverse=True)
        assert [(p.name, p.distribution) for p in plugins if not p.builtin] == [
            ("alpha-task", "alpha"),
            ("mid-dle-task", "mid-dle"),
            ("zebra-task", "zebra"),
            ("e", "alpha"),
            ("e", "mid-dle"),
            ("e", "zebra"),
        ]

    def test_order_does_not_depend_on_the_order_of_the_distributions(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, version in (("zebra", "1"), ("alpha", "1"), ("twice", "1"), ("Twice", "2")):
            site.install(name, version=version, tasks={"t": "m:p"}, extensions={f"of-{name}": "m:e"})
        listed = list(metadata.distributions())
        found = []
        for seed in range(4):
            random.Random(seed).shuffle(listed)
            monkeypatch.setattr(metadata, "distributions", lambda: iter(listed))
            found.append(Catalogue(disabled=()).plugins)
        assert found[1:] == found[:-1]
        assert [p.version for p in found[0] if p.name == "of-Twice"] == ["2"]

    def test_a_second_copy_of_a_distribution_is_hidden_by_the_first(self, site: Site) -> None:
        site.install("twice", version="1.0", tasks={"t": "m:p"})
        site.install("Twice", version="2.0", tasks={"t": "m:p"})
        assert len(external(Catalogue(disabled=()))) == 1

    def test_a_second_copy_further_down_the_path_is_hidden_whatever_its_version(
        self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site.install("twice", version="1.0", tasks={"t": "m:p"})
        (tmp_path / "other").mkdir()
        Site(tmp_path / "other").install("twice", version="2.0", tasks={"t": "m:p"})
        monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "other")])
        assert [p.version for p in external(Catalogue(disabled=()))] == ["1.0"]

    def test_unreadable_entry_points_hide_no_recipes_of_others(self, site: Site) -> None:
        site.install("mangled", entry_points="[vtk.recipes]\nno equals sign\n")
        site.install("sound", entry_points="[vtk.recipes]\nsound = sound.recipes\n")
        assert [folder.distribution for folder in Catalogue(disabled=()).recipe_folders] == ["sound"]

    def test_what_is_broken_stays_broken_beside_a_rival(self, site: Site) -> None:
        site.install("mangled", entry_points="[vtk.tasks]\nno equals sign\n")
        site.install("rival", tasks={"mangled": "m:p"})
        status = {p.distribution: p.status for p in external(Catalogue(disabled=()))}
        assert status["mangled"] == "broken"

    def test_unreadable_entry_points_are_listed_as_broken(self, site: Site) -> None:
        site.install("mangled", entry_points="[vtk.tasks]\nno equals sign\n")
        site.install("sound", tasks={"sound": "m:p"})
        catalogue = Catalogue(disabled=())
        assert [(p.name, p.status) for p in external(catalogue)] == [("mangled", "broken"), ("sound", "unchecked")]
        assert "mangled" not in catalogue.names("task")
        assert "the metadata of mangled cannot be read" in str(refusal(catalogue, "mangled"))

    @pytest.mark.parametrize("metadata_text", ["", None])
    def test_metadata_without_a_name(self, site: Site, metadata_text: str | None) -> None:
        site.install("nameless", tasks={"nameless": "m:p"})
        about = site.folder / "nameless-1.0.dist-info" / "METADATA"
        about.unlink() if metadata_text is None else about.write_text(metadata_text)
        site.install("sound", tasks={"sound": "m:p"})
        assert [(p.name, p.distribution) for p in external(Catalogue(disabled=()))] == [
            ("nameless", "?"),
            ("sound", "sound"),
        ]

    @pytest.mark.parametrize("form", ["dist-info", "egg-info", "zip", "egg"])
    def test_found_in_whatever_form_it_is_installed(
        self, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As wheels and editable installs leave it, as setuptools' develop mode does, in a zip file, in an egg."""
        about = "Metadata-Version: 2.1\nName: some-old\nVersion: 3\nSummary: Old.\nProject-URL: Homepage, https://h\n"
        points = "[vtk.tasks]\nold = old_task:plugin\n[vtk.recipes]\nold = old.recipes\n"
        folder = {"egg": "EGG-INFO", "egg-info": "some_old.egg-info"}.get(form, "some_old-3.dist-info")
        root = tmp_path / ("some_old-3-py3.11.egg" if form == "egg" else "old")
        info = root / folder
        info.mkdir(parents=True)
        (info / "entry_points.txt").write_text(points)
        if form in ("dist-info", "zip"):
            (info / "METADATA").write_text(f"{about}Requires-Dist: vision-toolkit>=0.1,<9\n\nA long text.\n")
        else:
            (info / "PKG-INFO").write_text(f"{about}\nA long text.\n")
            (info / "requires.txt").write_text("vision-toolkit>=0.1,<9\n")
        if form == "zip":
            root = Path(shutil.make_archive(str(root), "zip", root))
        monkeypatch.syspath_prepend(root)
        catalogue = Catalogue(disabled=())
        (found,) = external(catalogue)
        assert found == Plugin(
            "old", "task", "old_task:plugin", "some-old", "3", "Old.", needs=found.needs, homepage="https://h"
        )
        assert set(found.needs.split(",")) == {">=0.1", "<9"}
        assert [(f.name, f.value, f.distribution, f.version) for f in catalogue.recipe_folders] == [
            ("old", "old.recipes", "some-old", "3")
        ]

    def test_nothing_is_imported(self, site: Site) -> None:
        site.install("bomb", tasks={"bomb": "bomb_task:plugin"}, modules={"bomb_task": "raise SystemExit(9)"})
        code = """
        import json, sys
        from toolkit.hooks.catalogue import Catalogue
        names = [plugin.name for plugin in Catalogue().plugins]
        heavy = {"torch", "numpy", "pluggy", "pydantic", "yaml", "bomb_task", "vtk_classification", "vtk_style"}
        own = [name for name in sys.modules if name.startswith("toolkit.extensions")]
        print(json.dumps([names, sorted(heavy & set(sys.modules)), own]))
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={"PYTHONPATH": str(site.folder)},
            capture_output=True,
            text=True,
            check=True,
        )
        names, heavy, extensions = json.loads(done.stdout)
        assert "bomb" in names
        assert (heavy, extensions) == ([], [])


class TestChoosing:
    def test_unknown(self) -> None:
        error = refusal(Catalogue([], disabled=()), "seg")
        assert "no task is called 'seg'" in str(error)

    def test_duplicates_are_listed_and_an_error_only_when_chosen(self, site: Site) -> None:
        site.install(
            "one", tasks={"seg": "seg_one:plugin", "other": "seg_one:plugin"}, modules={"seg_one": "plugin = 1"}
        )
        site.install("two", version="3.2", tasks={"seg": "seg_two:plugin"}, modules={"seg_two": "plugin = 2"})
        catalogue = Catalogue(disabled=())
        assert [p.status for p in external(catalogue)] == ["unchecked", "duplicate", "duplicate"]
        assert catalogue.names("task").count("seg") == 1
        assert catalogue.load("other", "task") == 1
        text = str(refusal(catalogue, "seg"))
        assert "one:seg (one 1.0" in text
        assert "two:seg (two 3.2" in text
        assert catalogue.load("two:seg", "task") == 2
        assert "seg_one" in sys.modules

    def test_a_built_in_keeps_its_name_and_the_other_is_told(self, site: Site) -> None:
        site.install("shadow", extensions={"progress": "shadow_ext:plugin"}, modules={"shadow_ext": "plugin = 1"})
        catalogue = Catalogue(disabled=())
        assert catalogue.find("progress", "extension").builtin
        assert catalogue.load("shadow:progress", "extension") == 1
        (shadow,) = external(catalogue)
        assert shadow.status == "duplicate"
        assert shadow.reason == "progress is the built-in extension; choose this one as shadow:progress"
        assert {p.status for p in catalogue.plugins if p.builtin} == {"ok"}

    def test_a_built_in_that_is_switched_off_leaves_its_name(self, site: Site) -> None:
        site.install("shadow", extensions={"progress": "shadow_off:plugin"}, modules={"shadow_off": "plugin = 1"})
        assert Catalogue(disabled=["vision-toolkit:progress"]).load("progress", "extension") == 1

    def test_a_distribution_may_be_spelt_as_pip_takes_it(self, site: Site) -> None:
        site.install("Some_Dist.x", tasks={"seg": "spelt:plugin"}, modules={"spelt": "plugin = 1"})
        assert Catalogue(disabled=()).load("some-dist-x:seg", "task") == 1
        assert [p.status for p in external(Catalogue(disabled=["SOME.dist_x:seg"]))] == ["disabled"]

    def test_a_full_name_means_that_plugin_of_the_distribution(self, site: Site) -> None:
        site.install("pair", tasks={"left": "m:left", "right": "m:right"})
        assert Catalogue(disabled=()).find("pair:right", "task").value == "m:right"
        assert not Catalogue(disabled=()).knows("pair:middle", "task")

    @pytest.mark.parametrize("value", ["bare_task:plugin [extra]", "bare_task : plugin", "bare_task:holder.inner"])
    def test_an_entry_point_may_have_extras_and_dots(self, site: Site, value: str) -> None:
        source = "class Holder: inner = 'it'\nplugin, holder = 'it', Holder()"
        site.install("bare", tasks={"bare": value}, modules={"bare_task": source})
        assert Catalogue(disabled=()).load("bare", "task") == "it"

    def test_loads_exactly_one(self, site: Site) -> None:
        for name in ("one", "two"):
            module = f"only_{name}"
            site.install(name, tasks={name: f"{module}:plugin.inner"}, modules={module: "class plugin:\n    inner = 3"})
        assert Catalogue(disabled=()).load("one", "task") == 3
        assert "only_one" in sys.modules
        assert "only_two" not in sys.modules


class TestDisabling:
    @pytest.mark.parametrize("disabled", ["seg", "some-plugin:seg", "*", " x , seg ", "*,y"])
    def test_acts_before_import(self, site: Site, monkeypatch: pytest.MonkeyPatch, disabled: str) -> None:
        monkeypatch.setenv(DISABLE, disabled)
        site.install("some-plugin", tasks={"seg": "seg_off:plugin"}, modules={"seg_off": "raise SystemExit"})
        catalogue = Catalogue()
        assert [p.status for p in external(catalogue)] == ["disabled"]
        assert "seg" not in catalogue.names("task")
        assert not catalogue.has("seg", "task")
        assert catalogue.knows("seg", "task")
        assert DISABLE in str(refusal(catalogue, "seg"))
        assert "seg_off" not in sys.modules

    def test_star_leaves_the_built_ins(self) -> None:
        assert {p.status for p in Catalogue(disabled=["*"]).plugins if p.builtin} == {"ok"}

    def test_a_built_in_by_name(self) -> None:
        catalogue = Catalogue(disabled=["tensorboard"])
        assert not catalogue.has("tensorboard", "extension")
        assert catalogue.has("progress", "extension")

    def test_one_of_two_settles_a_duplicate(self, site: Site) -> None:
        site.install("one", tasks={"seg": "settled_one:plugin"}, modules={"settled_one": "plugin = 1"})
        site.install("two", tasks={"seg": "settled_two:plugin"}, modules={"settled_two": "plugin = 2"})
        catalogue = Catalogue(disabled=["one:seg"])
        assert catalogue.load("seg", "task") == 2
        assert [p.status for p in external(catalogue)] == ["disabled", "unchecked"]


class TestRange:
    """The versions of vision-toolkit that a distribution asks for."""

    @pytest.mark.parametrize(
        ("requires", "status"),
        [
            (["vision-toolkit>=2"], "incompatible"),
            (["Vision_Toolkit (>=2)"], "incompatible"),
            (["vision-toolkit>=0.1,<0.1"], "incompatible"),
            (["vision-toolkit>=0.0.1", "vision-toolkit<0.0.2"], "incompatible"),
            (["vision-toolkit>=0.0.1,<99"], "unchecked"),
            (["vision-toolkit"], "unchecked"),
            (["vision-toolkit>=2; extra == 'dev'"], "unchecked"),
            (["vision-toolkit-extras>=2", "torch>=99"], "unchecked"),
            (["vision-toolkit ~~ illegible"], "unchecked"),
            ([], "unchecked"),
        ],
    )
    def test_is_judged_from_metadata(self, site: Site, requires: list[str], status: str) -> None:
        site.install("ranged", tasks={"seg": "m:p"}, requires=requires)
        (plugin,) = external(Catalogue(disabled=()))
        assert plugin.status == status

    def test_choosing_one_that_does_not_fit_imports_nothing(self, site: Site) -> None:
        site.install("ahead", tasks={"seg": "ahead:plugin"}, modules={"ahead": "1 / 0"}, requires=["vision-toolkit>=2"])
        catalogue = Catalogue(disabled=())
        have = metadata.version("vision-toolkit")
        assert f"needs vision-toolkit>=2, have {have}" in str(refusal(catalogue, "seg"))
        assert "seg" not in catalogue.names("task")
        assert "ahead" not in sys.modules

    def test_a_pre_release_of_a_version_that_fits_fits(self) -> None:
        core = Plugin("c", "task", "m:p", "vision-toolkit", "2.0.0rc1", "", builtin=True)
        other = Plugin("o", "task", "m:p", "other", "1", "", needs=">=1.5,<3")
        assert [p.status for p in Catalogue([core, other], disabled=()).plugins] == ["ok", "unchecked"]

    def test_says_what_is_needed_as_its_author_wrote_it(self, site: Site) -> None:
        asked = [
            "vision-toolkit (>=0.1, <0.2)",
            "vision-toolkit!=0.3 ; python_version > '3'",
            "vision-toolkit ; extra == 'x'",
        ]
        for name, requires in zip(("round", "marked", "extra"), asked, strict=True):
            site.install(name, tasks={name: "m:p"}, requires=[requires])
        needs = {plugin.name: plugin.needs for plugin in external(Catalogue(disabled=()))}
        assert needs == {"round": ">=0.1,<0.2", "marked": "!=0.3", "extra": ""}

    def test_home_page(self, site: Site) -> None:
        site.install(
            "paged", tasks={"p": "m:p"}, about="Project-URL: Source, https://a\nProject-URL: Home Page, https://b\n"
        )
        site.install("sourced", tasks={"s": "m:p"}, about="Project-URL: Source, https://a\n")
        assert [p.homepage for p in external(Catalogue(disabled=()))] == ["https://b", "https://a"]


class TestBroken:
    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
            ("raise SystemExit(2)", "SystemExit: 2"),
            ("raise RuntimeError('line one\\nline two\\n' * 50)", "RuntimeError: line one line two"),
            ("def broken(:", "SyntaxError"),
            ("x = 1", "AttributeError"),
            ("raise KeyError", "KeyError"),
            ("raise RecursionError('deep')", "RecursionError: deep"),
            ("class Panic(BaseException): ...\nraise Panic('rust')", "Panic: rust"),
        ],
    )
    def test_is_told_in_five_lines(self, site: Site, source: str, words: str) -> None:
        site.install("bad-dist", version="0.9", tasks={"bad": "bad_task:plugin"}, modules={"bad_task": source})
        text = str(refusal(Catalogue(disabled=()), "bad"))
        assert words in text
        assert "bad-dist 0.9, entry point bad_task:plugin" in text
        assert "pip install -U bad-dist" in text
        assert f"{DISABLE}=bad-dist:bad" in text

    def test_a_long_error_is_cut(self, site: Site) -> None:
        site.install("long", tasks={"long": "long_task:plugin"}, modules={"long_task": "raise ValueError('x' * 5000)"})
        assert max(map(len, str(refusal(Catalogue(disabled=()), "long")).splitlines())) < 300

    def test_a_plugin_that_says_what_to_do_is_heard(self, site: Site) -> None:
        source = "from toolkit import VtkError\nraise VtkError('no lens', place='a.conf:3', hint='buy one')"
        site.install("lens", version="4", tasks={"lens": "lens_task:plugin"}, modules={"lens_task": source})
        assert str(refusal(Catalogue(disabled=()), "lens")).splitlines() == [
            "the task 'lens' cannot be loaded",
            "  from lens 4, entry point lens_task:plugin",
            "  a.conf:3: no lens",
            "  buy one",
        ]

    def test_keeps_its_cause_for_a_traceback(self, site: Site) -> None:
        site.install("bad", tasks={"bad": "cause_task:plugin"}, modules={"cause_task": "1 / 0"})
        assert isinstance(refusal(Catalogue(disabled=()), "bad").__cause__, ZeroDivisionError)

    def test_a_module_that_is_not_there(self, site: Site) -> None:
        site.install("gone", tasks={"gone": "gone_task:plugin"})
        assert "ModuleNotFoundError" in str(refusal(Catalogue(disabled=()), "gone"))

    def test_an_interrupt_is_not_swallowed(self, site: Site) -> None:
        site.install("slow", tasks={"slow": "slow_task:plugin"}, modules={"slow_task": "raise KeyboardInterrupt"})
        with pytest.raises(KeyboardInterrupt):
            Catalogue(disabled=()).load("slow", "task")
