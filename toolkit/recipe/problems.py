"""What is wrong with a recipe, put in words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from toolkit.errors import ExitCode, VtkError
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


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """Up to three of the ``known`` words that ``word`` may have been meant to be, likeliest first."""
    by_lower: dict[str, str] = {}
    for name in known:
        by_lower.setdefault(name.lower(), name)
    close = difflib.get_close_matches(word.lower()[:100], by_lower, n=3, cutoff=0.6)
    return [by_lower[name] for name in close]


def quoted(words: Iterable[str], last: str = "or") -> str:
    """``'a', 'b' or 'c'``."""
    return joined([repr(word) for word in words], last)


def joined(phrases: Sequence[str], last: str = "or") -> str:
    """``a, b or c``."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} {last} {phrases[-1]}"


def shortened(word: str) -> str:
    """A word as messages repeat it, whatever its length."""
    return word if len(word) <= _LONGEST else f"{word[: _LONGEST - 1]}…"


def suggestion(word: str, known: Sequence[str], *, kind: str = "known here") -> str:
    """``did you mean 'a'?``, or all that is known where nothing is near."""
    close = nearest(word, known)
    if close:
        return f"did you mean {quoted(close)}?"
    return f"{kind}: {', '.join(known)}" if known else f"{kind}: nothing"
