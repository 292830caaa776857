"""A flag that vtk has not, but whose value a recipe's key takes: ``--epochs 5`` is ``--set train.epochs=5``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

__all__ = ["set_instead"]

# What timm, ultralytics, Lightning, fastai and Transformers call a value, by the key that takes it here.
_NAMES = {
    "train.epochs": ("epochs", "num_epochs", "num_train_epochs", "max_epochs", "n_epochs", "ep", "e"),
    "train.steps": ("max_steps", "iterations", "iters", "num_steps"),
    "train.batch_size": ("batch", "bs", "b", "batchsize", "per_device_train_batch_size"),
    "train.eval_batch_size": ("validation_batch_size", "val_batch_size", "per_device_eval_batch_size"),
    "train.accumulate": ("grad_accum_steps", "gradient_accumulation_steps", "accumulate_grad_batches"),
    "train.precision": ("amp", "half", "fp16", "bf16", "mixed_precision"),
    "train.clip_norm": ("clip_grad", "max_grad_norm", "gradient_clip_val"),
    "optimizer.lr": ("lr", "learning_rate", "lr0", "base_lr"),
    "optimizer.name": ("opt", "optim", "optimizer"),
    "optimizer.weight_decay": ("wd", "decay"),
    "schedule.name": ("sched", "scheduler", "lr_scheduler"),
    "model.arch": ("arch", "a", "model", "backbone", "network"),
    "model.dropout": ("drop", "dropout"),
    "model.drop_path": ("drop_path_rate", "stochastic_depth"),
    "model.weights": ("weights", "checkpoint", "initial_checkpoint", "resume_from_checkpoint"),
    "model.pretrained": ("pretrained",),
    "data.source.root": ("data", "data_dir", "data_path", "data_root", "dataset", "train_dir"),
    "data.image_size": ("img_size", "imgsz", "image_size", "size", "input_size", "resolution"),
    "data.augment": ("aug", "augmentation", "aa"),
    "data.classes": ("classes", "class_names", "labels"),
    "data.split.val": ("val_split", "validation_split", "val_size", "val_pct", "valid_pct"),
    "data.split.test": ("test_split", "test_size"),
    "loss.label_smoothing": ("smoothing",),
    "loader.workers": ("workers", "j", "num_workers"),
    "seed": ("random_seed", "manual_seed"),
}
_ALONE = {
    "amp": "bf16",
    "mixed_precision": "bf16",
    "bf16": "bf16",
    "half": "fp16",
    "fp16": "fp16",
    "pretrained": "true",
}
"""What a flag says that stands without a value."""
_OUT = ("project", "output_dir", "output", "save_dir", "log_dir", "logdir", "default_root_dir")
"""What other tools call the folder of a run."""
_KEYS = {name: key for key, names in _NAMES.items() for name in names}


def set_instead(error: click.NoSuchOption, args: Sequence[str], keys: Sequence[str]) -> click.UsageError:
    """The error with the ``--set`` that does what the flag was meant to do; itself where no key is like the flag.

    Args:
        error: click's own.
        args: the command line, for the flag's value.
        keys: every dotted key of the recipe on it; none where it has none.
    """
    name = error.option_name.lstrip("-").lower().replace("-", "_")
    value = _value(error.option_name, args)
    if name in _OUT and _takes_out(error.ctx):
        return click.UsageError(f"there is no option {error.option_name}; write --out {value or 'DIR'}", error.ctx)
    key = _key(name, keys)
    if key is None:
        return error
    value = value or _ALONE.get(name, "VALUE")
    return click.UsageError(f"there is no option {error.option_name}; write --set {key}={value}", error.ctx)


def _takes_out(ctx: click.Context | None) -> bool:
    return ctx is not None and any(parameter.name == "out" for parameter in ctx.command.params)


def _key(name: str, keys: Iterable[str]) -> str | None:
    """The recipe's one key of that name, then the key that other tools' name stands for."""
    keys = list(keys)
    if name in keys:
        return name
    same = [key for key in keys if name in (key, key.rpartition(".")[2], key.replace(".", "_"))]
    if len(same) == 1:
        return same[0]
    meant = _KEYS.get(name)
    return meant if meant is not None and (not keys or meant in keys) else None


def _value(flag: str, args: Sequence[str]) -> str | None:
    for place, word in enumerate(args):
        if word.startswith(f"{flag}="):
            return word[len(flag) + 1 :]
        if word == flag and place + 1 < len(args) and not args[place + 1].startswith("-"):
            return args[place + 1]
    return None
