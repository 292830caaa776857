"""The base of every source's section in a recipe."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping

from pydantic import PrivateAttr

from toolkit.data.sources.index import Found
from toolkit.data.sources.survey import survey_of
from toolkit.errors import ExitCode, VtkError
from toolkit.section import Section
from toolkit.types.survey import Survey

__all__ = ["Source"]


class Source(Section):
    """The base of every source's section."""

    _chosen: frozenset[str] | None = PrivateAttr(None)

    def choose(self, classes: Collection[str]) -> None:
        """What is wrong with other classes than these need not be told; :meth:`load` may bring them all the same."""
        self._chosen = frozenset(classes)

    def counts(self, name: str) -> bool:
        """Whether a class takes part."""
        return self._chosen is None or name in self._chosen

    @abstractmethod
    def load(self) -> Found:
        """Finds the samples. Raises ``VtkError`` for missing, empty or contradictory data."""

    def load_listed(self) -> Found:
        """:meth:`load`, but a file that a table names and that is not there is no error; who reads it is told."""
        return self.load()

    def survey(self) -> Survey:
        """What ``vtk check`` reads: :meth:`load`, but with faults listed where they need not stop the listing."""
        return survey_of(self.load(), self.place)

    @property
    def place(self) -> str:
        """Where the data are, for people."""
        return str(getattr(self, "root", None) or getattr(self, "file", None) or getattr(self, "name", "the source"))

    def column(self, name: str) -> Mapping[str, str]:
        """The values of a column of the source's table, by the samples' paths.

        Raises:
            VtkError: there is no table, no such column, or a sample without a value.
        """
        raise VtkError(
            f"there is no column {name!r}: this source has no table",
            place="data.split.group.column",
            hint="give a pattern for the paths instead, or `group: folder`",
            code=ExitCode.RECIPE,
        )

    def downloads(self) -> list[str]:
        """What :meth:`load` would fetch over the network now, one line each."""
        return []
