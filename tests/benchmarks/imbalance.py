"""What each remedy for classes of unequal size is worth: balanced accuracy on a 1:20 set, beside none.

    python tests/benchmarks/imbalance.py

Ten kinds of drawn pictures. Five have 200 for training, five have 10; 50 of each are held out, and the last epoch is
judged on them, so nothing is chosen by them. Each remedy trains the same network from the same three seeds.
"""

from __future__ import annotations

import io
import statistics
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from harness import save, table  # noqa: E402
from rich.console import Console  # noqa: E402

from toolkit.recipe.load import load_text  # noqa: E402
from toolkit.run.finish import evaluate_final  # noqa: E402
from toolkit.run.loop import fit  # noqa: E402
from toolkit.run.setup import prepare  # noqa: E402
from vtk_classification.drawn.shapes import SHAPES, draw_shape  # noqa: E402

MANY, FEW, HELD_OUT = 200, 10, 50
SEEDS = (0, 1, 2)
STEPS = 700  # the same for all, because samplers change what an epoch is
REMEDIES = {
    "none": [],
    "class weights (`auto`: inverse frequency)": ["loss.class_weights=auto"],
    "class weights (`effective_number`, β = 0.99)": ["loss.class_weights=effective_number", "loss.beta=0.99"],
    "focal loss (γ = 2)": ["loss={name: focal}"],
    "focal loss and class weights": ["loss={name: focal, class_weights: auto}"],
    "sampler `weighted`": ["data.sampler=weighted"],
    "sampler `oversample`": ["data.sampler=oversample"],
    "sampler `undersample`": ["data.sampler=undersample"],
}
RECIPE = f"""
task: classification
data:
  source: {{name: folder, root: ROOT}}
  image_size: 32
  resize: squeeze
  augment: [{{name: HorizontalFlip, p: 0.5}}, {{name: VerticalFlip, p: 0.5}}]
model: {{name: cnn, channels: [16, 32, 64], batch_norm: true, hidden: [64], dropout: 0.25}}
train: {{steps: {STEPS}, steps_per_epoch: {STEPS}, batch_size: 32, best: last, precision: fp32}}
optimizer: {{name: adamw, lr: 2e-3}}
schedule: {{name: onecycle}}
extensions: {{checkpoints: false, metrics: false, tensorboard: false, progress: false}}
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        draw(Path(root))
        rows = [row(name, sets, root) for name, sets in REMEDIES.items()]
    columns = ["remedy", "balanced accuracy", "large classes", "small classes"]
    title = f"Five classes of {MANY} pictures, five of {FEW}: % right, mean of {len(SEEDS)} seeds (standard deviation)"
    save("imbalance", table(title, columns, rows))


def draw(root: Path) -> None:
    """Folders ``train`` and ``test`` with a sub-folder per class; every other class is small."""
    for place, kind in enumerate(SHAPES):
        for split, count in (("train", FEW if place % 2 else MANY), ("test", HELD_OUT)):
            folder = root / split / kind
            folder.mkdir(parents=True)
            for number in range(count):
                rng = np.random.default_rng([place, split == "test", number])
                cv2.imwrite(str(folder / f"{number}.png"), draw_shape(kind, rng)[..., ::-1])


def row(name: str, sets: list[str], root: str) -> list[str]:
    """One remedy over all seeds."""
    found = [accuracies([*sets, f"seed={seed}"], root) for seed in SEEDS]
    print(name, found, flush=True)
    return [name, *(cell([one[i] for one in found]) for i in range(3))]


def accuracies(sets: list[str], root: str) -> tuple[float, float, float]:
    """Balanced accuracy, and that over the large and over the small classes."""
    resolved = load_text(RECIPE.replace("ROOT", root), name="imbalance", sets=sets)
    run = prepare(resolved, console=Console(file=io.StringIO()))
    fit(run)
    result = evaluate_final(run, "test")
    right = (result.outputs.argmax(1) == result.targets).double()
    each = [float(right[result.targets == label].mean()) for label in range(len(SHAPES))]
    small = [i for i, name in enumerate(run.data.meta["classes"]) if list(SHAPES).index(name) % 2]
    large = [i for i in range(len(each)) if i not in small]
    return statistics.mean(each), statistics.mean(each[i] for i in large), statistics.mean(each[i] for i in small)


def cell(values: list[float]) -> str:
    return f"{100 * statistics.mean(values):.1f} ({100 * statistics.stdev(values):.1f})"


if __name__ == "__main__":
    main()
