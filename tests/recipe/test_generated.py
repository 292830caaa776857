from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.recipe.__main__ import BEGIN, END, generated_files, main, with_reference
from toolkit.recipe.reference import reference_markdown
from toolkit.recipe.sections import Recipe
from toolkit.recipe.shipped import sources


def test_committed_files_are_current() -> None:
    """When this fails: python -m toolkit.recipe."""
    folder = next(sources()).folder
    stale = [
        path.name
        for path, text in generated_files(folder).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == []


def test_reference_names_every_core_key() -> None:
    reference = reference_markdown()
    for name, field in Recipe.model_fields.items():
        assert f"`{name}" in reference
        if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
            for inner in field.annotation.model_fields:
                assert f"| `{name}.{inner}` |" in reference


@pytest.mark.parametrize(
    "row",
    [
        "| `train.batch_size` | whole number ≥ 1, ≤ 1,000,000 | `32` | Training samples in a batch. |",
        "| `train.precision` | `auto`, `fp32`, `bf16`, `fp16` | `auto` |",
        "| `data.cache.keep` | `ram`, `disk` | required |",
        "| `data.normalize.mean` | list of number ≥ -1,000, ≤ 1,000 | required |",
        "| `data.augment.N.name` | text | required |",
        "| `optimizer.momentum` | number ≥ 0, < 1 | `0.0` | Momentum. |",
        "| `loader.workers` | whole number ≥ 0, ≤ 1,024 or `auto` | `auto` |",
        "| `schedule.milestones` | list of whole number ≥ 1, ≤ 1,000,000 | required | Epochs of the drops, rising. |",
        "**`optimizer`** with `name: adam` (default): Adam",
        "**`stages.N.optimizer`**: Instead of the recipe's optimizer. It takes what `optimizer` takes.",
    ],
)
def test_rows(row: str) -> None:
    assert row in reference_markdown()


def test_markers_are_added_where_they_are_missing() -> None:
    text = with_reference("# Recipes\n\nHello.\n", "TABLE\n")
    assert text == f"# Recipes\n\nHello.\n\n{BEGIN}\n\nTABLE\n\n{END}\n"


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    before = f"# Recipes\n\n{BEGIN}\n\nOLD\n\n{END}\n\nAfter.\n"
    assert with_reference(before, "NEW\n") == f"# Recipes\n\n{BEGIN}\n\nNEW\n\n{END}\n\nAfter.\n"


def test_writing_twice_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tmp_path)])
    assert "wrote" in capsys.readouterr().out
    main([str(tmp_path)])
    assert capsys.readouterr().out == ""
