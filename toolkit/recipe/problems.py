"""What is wrong with a recipe, put in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.errors import ExitCode, VtkError, suggest
from toolkit.recipe.mark import Mark

_SHOWN = 20
_LONGEST = 100


@dataclass(frozen=True)
class Problem:
    """One fault: the place, the dotted key (empty for the whole file), and what is wrong."""

    mark: Mark
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.mark}: {self.text}"

    @property
    def text(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message

    @property
    def order(self) -> tuple[bool, str, int, int]:
        """Sorts by place, files before flags."""
        return mark_order(self.mark)


def mark_order(mark: Mark) -> tuple[bool, str, int, int]:
    """Sorts places: files before flags, then from top to bottom."""
    return mark.line is None, mark.source, mark.line or 0, mark.column or 0


class RecipeError(VtkError):
    """A recipe that cannot be used, with every problem found in it."""

    def __init__(
        self, problems: Sequence[Problem], *, hint: str | None = None, code: ExitCode = ExitCode.RECIPE
    ) -> None:
        self.problems = tuple(problems)
        if len(problems) == 1:
            super().__init__(problems[0].text, place=str(problems[0].mark), hint=hint, code=code)
            return
        lines = [str(problem) for problem in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            lines.append(f"… and {len(problems) - _SHOWN} more")
        super().__init__("\n".join(lines), hint=hint, code=code)


def shortened(word: str) -> str:
    """A word as messages repeat it, whatever its length."""
    return word if len(word) <= _LONGEST else f"{word[: _LONGEST - 1]}…"


def unknown_key(word: str, known: Sequence[str]) -> str:
    """``unknown key; did you mean 'a'?``, or all keys that are known where nothing is near."""
    listed = f"known here: {', '.join(known)}" if known else "known here: nothing"
    return f"unknown key; {suggest(word, known) or listed}"
