"""For each recipe key: a change of it, and where a user sees it. ``{folder}`` stands for the sample images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import observers as see

REJECTED = "rejected"
"""Instead of an observer: the changed recipe is refused."""


@dataclass(frozen=True)
class Case:
    """``base`` and ``changed`` are ``key=value`` over the task's small recipe; they must be seen to differ."""

    observer: Callable[[Any], Any] | str
    base: tuple[str, ...]
    changed: tuple[str, ...]


def case(observer: Callable[[Any], Any] | str, changed: str, *base: str) -> Case:
    """``changed`` is applied over ``base``."""
    return Case(observer, base, (*base, changed))


CLASSIFICATION = """
task: classification
data: {source: {name: digits}, image_size: 8, grey: true, augment: none, limit: 60, split: {val: 0.25}}
model: {name: cnn, channels: [4, 4], hidden: [8]}
train: {epochs: 2, batch_size: 16}
loader: {workers: 0}
extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}
"""
MULTILABEL = """
task: multilabel
data:
  source: {name: digit_scenes, size: 24, train: 40, val: 16, test: 16}
  image_size: 24
  grey: true
  augment: none
model: {name: cnn, channels: [4], hidden: [8]}
train: {epochs: 1, batch_size: 16}
loader: {workers: 0}
extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}
"""

TRAIN = {
    "task": case(REJECTED, "task=multilabel"),
    "name": case(see.announced, "name=another"),
    "seed": case(see.weights, "seed=1"),
    "train.epochs": case(see.fitted, "train.epochs=1"),
    "train.steps": case(see.fitted, "train.steps=3", "train.epochs=null", "train.steps=5"),
    "train.steps_per_epoch": case(see.fitted, "train.steps_per_epoch=2", "train.epochs=null", "train.steps=4"),
    "train.batch_size": case(see.fitted, "train.batch_size=8"),
    "train.eval_batch_size": case(see.held_out, "train.eval_batch_size=4"),
    "train.accumulate": case(see.fitted, "train.accumulate=2"),
    "train.precision": case(see.precision, "train.precision=bf16", "train.precision=fp32"),
    "inference.precision": case(see.answers, "inference.precision=bf16"),
    "train.channels_last": case(see.weights, "train.channels_last=false"),
    "train.device": case(REJECTED, "train.device=cuda:99"),
    "train.clip_norm": case(see.fitted, "train.clip_norm=0.01", "optimizer={name: sgd}"),
    "train.log_grad_norm": case(see.fitted, "train.log_grad_norm=true"),
    "train.best": case(see.fitted, "train.best=val/loss"),
    "train.best_mode": case(see.fitted, "train.best_mode=min"),
    "train.validate_every": case(see.fitted, "train.validate_every=2"),
    "train.log_every": case(see.printed, "train.log_every=1", "extensions.progress=true"),
    "loader.workers": case(see.loader, "loader.workers=2"),
    "loader.kind": case(see.loader, "loader.kind=process", "loader.workers=2"),
    "loader.prefetch": case(see.loader, "loader.prefetch=5", "loader.workers=2", "loader.kind=thread"),
    "loader.drop_last": case(see.loader, "loader.drop_last=true", "train.batch_size=32"),
    "loader.shuffle": case(see.batches, "loader.shuffle=false"),
    "extensions": case(see.printed, "extensions.progress=true"),
}

OPTIMIZERS = {
    f"optimizer[{name}].{key}": case(see.updates, f"optimizer.{key}={value}", f"optimizer={{name: {name}{more}}}")
    for name, more, changes in (
        (
            "sgd",
            ", lr: 0.1, momentum: 0.9, weight_decay: 0.1",
            {"lr": 0.2, "momentum": 0.5, "nesterov": "true", "weight_decay": 0.3, "layer_decay": 0.5}
            | {"decay_norms_and_biases": "false"},
        ),
        (
            "adam",
            ", lr: 0.1, weight_decay: 0.1",
            {"lr": 0.2, "beta1": 0.5, "beta2": 0.9, "eps": 0.1, "weight_decay": 0.3, "layer_decay": 0.5}
            | {"decay_norms_and_biases": "false"},
        ),
        (
            "adamw",
            ", lr: 0.1, weight_decay: 0.1",
            {"lr": 0.2, "beta1": 0.5, "beta2": 0.9, "eps": 0.1, "weight_decay": 0.3, "layer_decay": 0.5}
            | {"decay_norms_and_biases": "false"},
        ),
        ("lbfgs", ", lr: 5.0", {"lr": 0.2, "history": 1, "line_search": "strong_wolfe"}),
    )
    for key, value in changes.items()
} | {
    "optimizer[sgd].name": case(see.updates, "optimizer={name: sgd}"),
    "optimizer[adam].name": case(see.updates, "optimizer={name: adam}", "optimizer={name: adamw}"),
    "optimizer[adamw].name": case(see.updates, "optimizer={name: adamw}"),
    "optimizer[lbfgs].name": case(see.updates, "optimizer={name: lbfgs}"),
}

_BASES = {
    "constant": "{name: constant}",
    "step": "{name: step, step_size: 2}",
    "multistep": "{name: multistep, milestones: [2, 4]}",
    "cosine": "{name: cosine}",
    "onecycle": "{name: onecycle}",
    "plateau": "{name: plateau, patience: 1}",
}
_CHANGES = {
    "step": {"step_size": 3, "gamma": 0.5},
    "multistep": {"milestones": "[3]", "gamma": 0.5},
    "cosine": {"t_max": 3, "eta_min": 1e-4, "warmup": 2},
    "onecycle": {"pct_start": 0.5, "div_factor": 5, "final_div_factor": 10},
    "plateau": {"metric": "train/loss", "factor": 0.5, "patience": 3, "min_lr": 1e-4},
}
SCHEDULES = (
    {
        f"schedule[{name}].name": case(
            see.rates,
            f"schedule={base}",
            "schedule={name: step, step_size: 1}" if name == "constant" else "train.epochs=2",
        )
        for name, base in _BASES.items()
    }
    | {
        f"schedule[{name}].{key}": case(see.rates, f"schedule.{key}={value}", f"schedule={_BASES[name]}")
        for name, changes in _CHANGES.items()
        for key, value in changes.items()
    }
    | {
        "schedule[plateau].mode": case(
            see.last_rate, "schedule.mode=max", "schedule={name: plateau, patience: 0, metric: train/loss}"
        ),
    }
)

_ONE_STAGE = ("train.epochs=null", "stages=[{epochs: 2}]")


def in_stage(found: dict[str, Case]) -> dict[str, Case]:
    """The same sections, given by a stage instead of the recipe."""
    moved = {}
    for key, one in found.items():
        section = key.partition("[")[0]
        sets = [
            tuple(s.replace(f"{section}", f"stages.0.{section}", 1) for s in sets) for sets in (one.base, one.changed)
        ]
        kept = [tuple(s for s in chosen if not s.startswith("train.")) for chosen in sets]
        moved[f"stages.{key}"] = Case(one.observer, (*_ONE_STAGE, *kept[0]), (*_ONE_STAGE, *kept[1]))
    return moved


STAGES = {
    "stages.name": case(see.announced, "stages.0.name=first", *_ONE_STAGE),
    "stages.epochs": case(see.fitted, "stages.0.epochs=1", *_ONE_STAGE),
    "stages.steps": case(see.fitted, "stages=[{steps: 3}]", "train.epochs=null", "stages=[{steps: 4}]"),
    "stages.steps_per_epoch": case(
        see.fitted, "stages.0.steps_per_epoch=2", "train.epochs=null", "stages=[{steps: 4}]"
    ),
    "stages.lr": case(see.updates, "stages.0.lr=0.5", *_ONE_STAGE),
    "stages.train": case(see.weights, "stages.0.train=head", *_ONE_STAGE),
    **in_stage(OPTIMIZERS),
    **in_stage(SCHEDULES),
}

_COLOUR = ("data.source={name: drawn, kind: shapes, count: 60}", "data.grey=false", "data.image_size=32")
_SPOILT = "data.source={{name: folder, root: '{folder}/spoilt'}}"
_GROUPED = "data.source={{name: folder, root: '{folder}/grouped'}}"
_PATIENTS = "data.source={{name: csv, file: '{folder}/patients.csv'}}"
_KEPT = ("data.source={{name: folder, root: '{folder}/a'}}", "data.split={val: 0}", "data.cache={keep: ram}")
IMAGES = {
    "data.on_bad_image": case(see.trained_over, "data.on_bad_image=skip", _SPOILT, "data.bad_image_limit=1"),
    "data.bad_image_limit": case(see.trained_over, "data.bad_image_limit=0", _SPOILT, "data.on_bad_image=skip"),
    "data.classes": case(see.meta, "data.classes=['3', '1']"),
    "data.split.val": case(see.held_out, "data.split.val=0.4"),
    "data.split.test": case(see.held_out, "data.split.test=0.2"),
    "data.split.seed": case(see.held_out, "data.split.seed=7"),
    "data.split.folds": case(see.held_out, "data.split={folds: 4}", "data.split={val: 0.25}"),
    "data.split.fold": case(see.held_out, "data.split.fold=2", "data.split.folds=4"),
    "data.split.group": case(see.held_out, "data.split.group=folder", _GROUPED),
    "data.split.group.pattern": case(see.held_out, "data.split.group={{pattern: '(?P<group>p.)/'}}", _GROUPED),
    "data.split.group.column": case(see.held_out, "data.split.group={{column: patient}}", _PATIENTS),
    "data.split.duplicates": case(see.held_out, "data.split.duplicates=near", _GROUPED),
    "data.split.manifest": case(see.held_out, "data.split.manifest={folder}/digits.json"),
    "data.image_size": case(see.held_out, "data.image_size=10"),
    "data.interpolation": case(see.held_out, "data.interpolation=bicubic", "data.image_size=12"),
    "data.resize": case(see.held_out, "data.resize=12"),
    "data.grey": case(see.held_out, "data.grey=false"),
    "data.augment": case(see.batches, "data.augment=light"),
    "data.augment.name": case(
        see.batches, "data.augment=[{name: VerticalFlip}]", "data.augment=[{name: HorizontalFlip}]"
    ),
    "data.normalize": case(see.held_out, "data.normalize=imagenet", *_COLOUR),
    "data.normalize.mean": case(see.held_out, "data.normalize.mean=[0.1]", "data.normalize={mean: [0], std: [1]}"),
    "data.normalize.std": case(see.held_out, "data.normalize.std=[0.5]", "data.normalize={mean: [0], std: [1]}"),
    "data.mix.mixup": case(see.batches, "data.mix.mixup=0.9", "data.mix={mixup: 0.2}"),
    "data.mix.cutmix": case(see.batches, "data.mix.cutmix=0.2", "data.mix={cutmix: 1}"),
    "data.mix.probability": case(see.batches, "data.mix.probability=0.1", "data.mix={mixup: 0.5}"),
    "data.erase.probability": case(see.batches, "data.erase.probability=0.9", "data.erase={probability: 0.1}"),
    "data.erase.smallest": case(see.batches, "data.erase.smallest=0.3", "data.erase={probability: 1}"),
    "data.erase.largest": case(see.batches, "data.erase.largest=0.9", "data.erase={probability: 1}"),
    "data.erase.fill": case(see.batches, "data.erase.fill=noise", "data.erase={probability: 1}"),
    "data.limit": case(see.held_out, "data.limit=30"),
    "data.shrink": case(see.batches, "data.shrink=8", _GROUPED),
    "data.cache": case(see.planned, "data.cache=ram"),
    "data.cache.keep": case(see.planned, "data.cache.keep=disk", *_KEPT),
    "data.cache.gigabytes": case(see.planned, "data.cache.gigabytes=0.0000001", *_KEPT),
    "data.cache.folder": case(see.planned, "data.cache.folder={folder}/kept", *_KEPT, "data.cache.keep=disk"),
}

_VIT = ("model={name: backbone, arch: 'timm:vit_tiny_patch16_224', pretrained: false}", "data.grey=false")
_VIT = (*_VIT, "data.image_size=16")
NETWORKS = {
    "model[cnn].name": case(REJECTED, "model={name: resnet}"),
    "model[cnn].preset": case(see.weights, "model.preset=mnist", "model={name: cnn, preset: cifar10}"),
    "model[cnn].channels": case(see.weights, "model.channels=[4, 6]"),
    "model[cnn].kernel": case(see.weights, "model.kernel=5", "model.padding=2"),
    "model[cnn].padding": case(see.weights, "model.padding=2"),
    "model[cnn].pool": case(see.weights, "model.pool=1"),
    "model[cnn].hidden": case(see.weights, "model.hidden=[9]"),
    "model[cnn].dropout": case(see.answers, "model.dropout=0.5"),
    "model[cnn].init": case(see.weights, "model.init=he"),
    "model[cnn].batch_norm": case(see.weights, "model.batch_norm=true"),
    "model[backbone].name": case(see.weights, _VIT[0], *_VIT[1:]),
    "model[backbone].arch": case(see.weights, "model.arch=timm:vit_tiny_r_s16_p8_224", *_VIT[:2], "data.image_size=32"),
    "model[backbone].pretrained": case(see.downloads, "model.pretrained=true", *_VIT),
    "model[backbone].weights.file": case(
        REJECTED, "model={name: backbone, arch: 'timm:vit_tiny_patch16_224', weights: no.pt}", *_VIT[1:]
    ),
    "model[backbone].weights.match": case(
        REJECTED,
        "model={name: backbone, arch: 'timm:vit_tiny_patch16_224', weights: {file: no.pt, match: shapes}}",
        *_VIT[1:],
    ),
    "model[backbone].head": case(REJECTED, "model.head=new", *_VIT),
    "model[backbone].freeze": case(see.weights, "model.freeze=backbone", *_VIT),
    "model[backbone].dropout": case(see.answers, "model.dropout=0.5", *_VIT),
    "model[backbone].drop_path": case(see.answers, "model.drop_path=0.9", *_VIT),
    "inference.tta": case(see.answers, "inference.tta=mirror"),
}

_FOLDER = "data.source={{name: folder, root: '{folder}/a'}}"
_PATTERN = "data.source={{name: pattern, root: '{folder}/flat', pattern: '(?P<label>[ab])\\.\\d+\\.png'}}"
_CSV = "data.source={{name: csv, file: '{folder}/one.csv'}}"
SOURCES = {
    "data.source[folder].name": case(see.source, _FOLDER),
    "data.source[folder].root": case(see.source, "data.source.root={folder}/b", _FOLDER),
    "data.source[folder].obtain": case(
        see.source, "data.source.obtain=ask me", "data.source={{name: folder, root: nowhere}}"
    ),
    "data.source[pattern].name": case(see.source, _PATTERN),
    "data.source[pattern].root": case(see.source, "data.source.root={folder}/flat2", _PATTERN),
    "data.source[pattern].pattern": case(
        see.source, "data.source.pattern='[ab].(?P<label>\\d)\\.png'", _PATTERN, "data.source.unmatched=ignore"
    ),
    "data.source[pattern].unmatched": case(
        see.source, "data.source.unmatched=ignore", _PATTERN, "data.source.root={folder}/messy"
    ),
    "data.source[pattern].nested": case(see.source, "data.source.nested=true", _PATTERN),
    "data.source[pattern].obtain": case(see.source, "data.source.obtain=ask me", _PATTERN, "data.source.root=nowhere"),
    "data.source[csv].name": case(see.source, _CSV),
    "data.source[csv].file": case(see.source, "data.source.file={folder}/two.csv", _CSV),
    "data.source[csv].root": case(see.source, "data.source.root=nowhere", _CSV),
    "data.source[csv].path_column": case(see.source, "data.source.path_column=other", _CSV),
    "data.source[csv].label_column": case(see.source, "data.source.label_column=second", _CSV),
    "data.source[csv].split_column": case(see.source, "data.source.split_column=part", _CSV),
    "data.source[csv].delimiter": case(see.source, "data.source.delimiter=;", _CSV),
    "data.source[csv].obtain": case(see.source, "data.source.obtain=ask me", _CSV, "data.source.file=nowhere.csv"),
    "data.source[mnist].name": case(see.downloads, "data.source={{name: cifar10, root: '{folder}/none'}}"),
    "data.source[mnist].root": case(
        see.downloads, "data.source.root={folder}/other", "data.source={{name: mnist, root: '{folder}/none'}}"
    ),
    "data.source[mnist].download": case(
        see.downloads, "data.source.download=false", "data.source={{name: mnist, root: '{folder}/none'}}"
    ),
    "data.source[digits].name": case(
        see.source, "data.source={{name: digits}}", "data.source={{name: drawn, kind: shapes}}"
    ),
    "data.source[digits].size": case(see.source, "data.source.size=9"),
    "data.source[drawn].name": case(see.source, _COLOUR[0].replace("{", "{{").replace("}", "}}")),
    "data.source[drawn].kind": case(REJECTED, "data.source.kind=dragons", *_COLOUR[:1]),
    "data.source[drawn].count": case(see.source, "data.source.count=70", *_COLOUR[:1]),
    "data.source[drawn].test_count": case(see.source, "data.source.test_count=20", *_COLOUR[:1]),
    "data.source[drawn].seed": case(see.source, "data.source.seed=3", *_COLOUR[:1]),
    "data.sampler": case(see.batches, "data.sampler=weighted"),
}


def losses(name: str, base: str, **changes: object) -> dict[str, Case]:
    """The keys of one loss; its name is seen beside the task's default, the default's beside a focusing one."""
    other = () if name in ("focal", "asymmetric") else ("loss={name: focal}",)
    found = {f"loss[{name}].name": case(see.loss, f"loss={base}", *other)}
    return found | {
        f"loss[{name}].{key}": case(see.loss, f"loss.{key}={value}", f"loss={base}") for key, value in changes.items()
    }


_BETA = case(
    see.loss, "loss.beta=0.9", "data.limit=null", "loss={name: cross_entropy, class_weights: effective_number}"
)
CLASSIFICATION_CASES = (
    TRAIN
    | OPTIMIZERS
    | SCHEDULES
    | STAGES
    | IMAGES
    | NETWORKS
    | SOURCES
    | losses("cross_entropy", "{name: cross_entropy}", class_weights="{'1': 5.0}", label_smoothing=0.2)
    | losses("focal", "{name: focal}", class_weights="{'1': 5.0}", label_smoothing=0.2, gamma=1.0)
    | {"loss[cross_entropy].beta": _BETA, "loss[focal].beta": case(REJECTED, "loss.beta=0.9", "loss={name: focal}")}
)

_LABELS = "data.source={{name: csv, file: '{folder}/labels.csv', labels: {{name: separated}}}}"
_HOT = "data.source={{name: csv, file: '{folder}/hot.csv', labels: {{name: columns}}}}"
_PAIRS = "data.source={{name: csv, file: '{folder}/pairs.csv', labels: {{name: pairs}}}}"
_SCENES = "data.source"
MULTILABEL_CASES = {
    "data.source[csv].name": case(see.source, _LABELS),
    "data.source[csv].file": case(see.source, "data.source.file={folder}/labels2.csv", _LABELS),
    "data.source[csv].val_file": case(see.source, "data.source.val_file={folder}/labels3.csv", _LABELS),
    "data.source[csv].test_file": case(see.source, "data.source.test_file={folder}/labels3.csv", _LABELS),
    "data.source[csv].root": case(see.source, "data.source.root=nowhere", _LABELS),
    "data.source[csv].path_column": case(see.source, "data.source.path_column=other", _LABELS),
    "data.source[csv].split_column": case(see.source, "data.source.split_column=part", _LABELS),
    "data.source[csv].classes": case(see.source, "data.source.classes=[y, x, z]", _LABELS),
    "data.source[csv].delimiter": case(see.source, "data.source.delimiter=;", _LABELS),
    "data.source[csv].obtain": case(see.source, "data.source.obtain=ask me", _LABELS, "data.source.file=nowhere.csv"),
    "data.source[csv].labels[separated].name": case(see.source, _LABELS),
    "data.source[csv].labels[separated].column": case(see.source, "data.source.labels.column=second", _LABELS),
    "data.source[csv].labels[separated].separator": case(see.source, "data.source.labels.separator=x", _LABELS),
    "data.source[csv].labels[columns].name": case(see.source, _HOT, _LABELS),
    "data.source[csv].labels[columns].columns": case(see.source, "data.source.labels.columns=[y]", _HOT),
    "data.source[csv].labels[pairs].name": case(see.source, _PAIRS, _HOT),
    "data.source[csv].labels[pairs].column": case(see.source, "data.source.labels.column=second", _PAIRS),
    "data.source[digit_scenes].name": case(see.source, "data.source={{name: digit_scenes}}", _LABELS),
    "data.source[digit_scenes].size": case(see.source, f"{_SCENES}.size=28"),
    "data.source[digit_scenes].train": case(see.source, f"{_SCENES}.train=41"),
    "data.source[digit_scenes].val": case(see.source, f"{_SCENES}.val=17"),
    "data.source[digit_scenes].test": case(see.source, f"{_SCENES}.test=17"),
    "data.source[digit_scenes].seed": case(see.source, f"{_SCENES}.seed=3"),
    "data.sampler": case(see.batches, "data.sampler=weighted"),
    "thresholds": case(see.meta, "thresholds=0.3"),
    **losses("bce", "{name: bce}", pos_weight="auto", label_smoothing=0.2),
    **losses("focal", "{name: focal}", gamma=1.0, alpha=0.25, label_smoothing=0.2),
    **losses("asymmetric", "{name: asymmetric}", gamma_pos=2.0, gamma_neg=2.0, margin=0.2, label_smoothing=0.2),
}
