"""One page of all runs of a project, from their events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from vtk_journal.events import read

_WIDTH, _HEIGHT = 160, 40
_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em } table { border-collapse: collapse }
td, th { border-bottom: 1px solid #ddd; padding: .4em .8em; text-align: left; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums } polyline { fill: none; stroke: #2b6cb0 }
"""


@dataclass
class Story:
    """What the events of one run come to."""

    start: dict[str, Any] = field(default_factory=dict)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    status: str = "running"
    result: dict[str, Any] = field(default_factory=dict)


def story_of(events: Iterable[dict[str, Any]]) -> Story:
    """The state that the events lead to."""
    story = Story()
    for event in events:
        kind = event["event"]
        if kind == "start":
            story.start, story.status = event, "running"
        elif kind == "epoch":
            story.epochs.append(event["metrics"])
        elif kind == "end":
            story.status = event["status"]
        elif kind == "result":
            story.result = event["metrics"]
    return story


def make_page(project: str, files: Sequence[Path]) -> str:
    """Every run with its curves and its last figures, the newest first."""
    stories = sorted((story_of(read(file)) for file in files), key=lambda story: story.start.get("time", ""))
    stories.reverse()
    metrics = sorted({name for story in stories for name in story.result})
    head = ["run", "state", "started", "tags", "what differs", "curves", *metrics]
    differing = _differing([story.start.get("recipe", {}) for story in stories])
    rows = "".join(_row(story, metrics, differing) for story in stories)
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    title = escape(project)
    return (
        f"<!doctype html><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1><table><tr>{heads}</tr>{rows}</table>\n"
    )


def _row(story: Story, metrics: Sequence[str], differing: Sequence[str]) -> str:
    start, recipe = story.start, _flat(story.start.get("recipe", {}))
    settings = ", ".join(f"{key} {recipe[key]}" for key in differing if key in recipe)
    texts = [start.get("name", ""), story.status, start.get("time", ""), ", ".join(start.get("tags", [])), settings]
    cells = "".join(f"<td>{escape(str(text))}</td>" for text in texts)
    figures = "".join(f"<td class='number'>{_figure(story.result.get(name))}</td>" for name in metrics)
    return f"<tr>{cells}<td>{_curves(story)}</td>{figures}</tr>"


def _curves(story: Story) -> str:
    names = [name for name in (story.epochs[-1] if story.epochs else {}) if name.startswith(("train/loss", "val/"))]
    drawn = []
    for name in names:
        values = [e[name] for e in story.epochs if isinstance(e.get(name), int | float)]
        drawn.append(f"<div>{_curve(values)} {escape(name)} {_figure(values[-1] if values else None)}</div>")
    return "".join(drawn)


def _curve(values: Sequence[float]) -> str:
    if len(values) < 2:
        return ""
    low, span = min(values), (max(values) - min(values)) or 1.0
    heights = [(1 - (value - low) / span) * (_HEIGHT - 4) + 2 for value in values]
    points = " ".join(f"{i * _WIDTH / (len(values) - 1):.1f},{height:.1f}" for i, height in enumerate(heights))
    return f"<svg width='{_WIDTH}' height='{_HEIGHT}'><polyline points='{points}'/></svg>"


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else escape(str(value or ""))


def _differing(recipes: Sequence[dict[str, Any]]) -> list[str]:
    """Keys whose values are not the same in all runs."""
    flat = [_flat(recipe) for recipe in recipes]
    keys = {key for one in flat for key in one}
    return sorted(key for key in keys if len({str(one.get(key)) for one in flat}) > 1)


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {prefix: tree}
    below = [_flat(part, f"{prefix}.{name}".strip(".")) for name, part in tree.items()]
    return {key: value for one in below for key, value in one.items()}
