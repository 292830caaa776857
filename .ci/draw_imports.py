"""Prints who imports whom, as a drawing in Graphviz's language: ``python .ci/draw_imports.py > imports.dot``.

Without an argument: the rooms of ``toolkit`` and the tasks. With the name of a room, such as ``toolkit.run``: the files
in it. An arrow leads from a file or room to one that it imports, at whatever place; its number is how many imports.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from pathlib import Path

import grimp

CONTRACTS = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["tool"]["importlinter"]


def arrows(graph: grimp.ImportGraph, nodes: set[str]) -> Counter[tuple[str, str]]:
    """Imports between nodes, each of which stands for itself and all that is in it."""
    homes = {module: node for node in nodes for module in {node, *graph.find_descendants(node)}}
    found = Counter[tuple[str, str]]()
    for module, home in homes.items():
        for imported in graph.find_modules_directly_imported_by(module):
            if homes.get(imported, home) != home:
                found[home, homes[imported]] += 1
    return found


def main(room: str = "toolkit") -> None:
    roots = CONTRACTS["root_packages"]
    graph = grimp.build_graph(*roots, cache_dir=None)
    nodes = graph.find_children(room) | ({*roots} - {"toolkit"} if room == "toolkit" else set())
    print('digraph imports {\n  node [shape=box, fontname="sans-serif"];')
    for (importer, imported), number in sorted(arrows(graph, nodes).items()):
        print(f'  "{importer.removeprefix(room + ".")}" -> "{imported.removeprefix(room + ".")}" [label={number}];')
    print("}")


if __name__ == "__main__":
    main(*sys.argv[1:])
