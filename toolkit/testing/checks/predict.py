"""What the model says of a file is what it said of the same sample in evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import VtkError
from toolkit.testing.findings import ConformanceError, NotApplicable, finding
from toolkit.testing.subject import Subject

_TOLERANCE = {"fp32": 1e-5, "bf16": 0.03}
"""Of an output, relative where it is above one. bf16 has 8 significant bits, and rounds otherwise in another batch."""
_ONE_WAY = (
    "read and prepare a file by the very function that prepares a sample of the val and test splits, with the sizes in "
    "bundle.meta, and ask bundle.network, one row for each file in order"
)


@finding
def check_predict(subject: Subject) -> None:
    """``vtk_predict`` puts into the model what evaluation puts into it, answers in order, and survives bad files."""
    _require_predicting(subject)
    if subject.files is None:
        raise ConformanceError(
            "predict",
            "the task predicts, and the check has no files to compare with evaluation",
            "pass files=function: given the evaluated data set and an empty folder, it returns a path for each sample, "
            "in order; where samples cannot be files, leave the check out: without=['predict']",
        )
    trained = subject.trained
    assert trained.finished is not None
    result = trained.finished.result
    folder = subject.folder / "files"
    folder.mkdir(exist_ok=True)
    paths = list(subject.files(getattr(trained.run.data, result.split), folder))
    records, rows = _predict(subject, paths)
    _check_records(records, paths)
    tolerance = _TOLERANCE[trained.run.recipe.inference.precision]
    _compare(rows, _rows_of(result.outputs, rows), paths, tolerance)
    _check_drawings(subject, paths[:2])
    _check_bad_files(subject, paths[0])


def _require_predicting(subject: Subject) -> None:
    recipe = subject.resolve().recipe
    if not recipe.predicts:
        raise NotApplicable("the task's Recipe says predicts = False")
    if not hasattr(subject.loaded.plugin, "vtk_predict"):
        raise NotApplicable("the task has no vtk_predict")


def _bundle(subject: Subject, catalogue: Any) -> Any:
    from toolkit.inference.bundle import Bundle

    return Bundle.load(subject.trained.directory, catalogue=catalogue, device="cpu")


def _predict(subject: Subject, paths: Sequence[Path]) -> tuple[list[dict[str, Any]], list[Any]]:
    """The records, and what the network said on the way, one row for each sample."""
    from toolkit.inference.predict import predict_files

    rows: list[Any] = []
    with subject.alone() as catalogue:
        bundle = _bundle(subject, catalogue)
        hook = bundle.network.register_forward_hook(lambda _module, _inputs, output: rows.extend(_rows(output)))
        try:
            predictions = list(predict_files(bundle, paths))
        finally:
            hook.remove()
    failed = next((p for p in predictions if p.error is not None), None)
    if failed is not None:
        raise ConformanceError("predict", f"a good file cannot be predicted: {failed.error}", _ONE_WAY)
    return [dict(p.record or {}) for p in predictions], rows


def _rows(output: Any) -> list[Any]:
    """A batch of outputs as one output for each sample. A list holds samples already, a tuple holds parts of each."""
    import torch

    if isinstance(output, torch.Tensor):
        return list(output.detach()) if output.ndim else [output.detach()]
    if isinstance(output, Mapping):
        columns = {name: _rows(part) for name, part in output.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if isinstance(output, tuple):
        return [list(row) for row in zip(*map(_rows, output), strict=True)]
    return list(output)


def _rows_of(outputs: Any, predicted: list[Any]) -> list[Any]:
    """The rows of a whole split.

    One tensor where batches could be joined; else a list, of samples where the network gives lists, or of batches:
    what it gave for a single file shows which.
    """
    if not isinstance(outputs, list):
        return [] if outputs is None else _rows(outputs)
    if outputs and predicted and _alike(outputs[0], predicted[0]):
        return outputs
    return [row for batch in outputs for row in _rows(batch)]


def _alike(a: Any, b: Any) -> bool:
    """Whether both have the same parts with as many dimensions; a batch has one more than a sample."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_alike(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_alike, a, b))
    return getattr(a, "ndim", -1) == getattr(b, "ndim", -1) and type(a) is type(b)


def _check_records(records: list[dict[str, Any]], paths: Sequence[Path]) -> None:
    for record, path in zip(records, paths, strict=True):
        try:
            json.dumps(record, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConformanceError(
                "predict",
                f"the record of {path.name} is no JSON: {error}",
                "give plain numbers, text and lists (.item())",
            ) from error
        if "file" in record and Path(record["file"]) != path:
            raise ConformanceError(
                "predict", f"the record at the place of {path} is of {record['file']}", "answer in the order of inputs"
            )


def _check_drawings(subject: Subject, paths: Sequence[Path]) -> None:
    """A task that takes ``drawings`` makes a PNG of each."""
    from toolkit.inference.predict import draws, predict_files

    with subject.alone() as catalogue:
        bundle = _bundle(subject, catalogue)
        predictions = list(predict_files(bundle, paths, subject.folder / "drawn")) if draws(bundle) else []
    for prediction in predictions:
        if prediction.error is not None:
            raise ConformanceError(
                "predict",
                f"with --draw {prediction.error.place}: {prediction.error.message}",
                "write a PNG to each path in `drawings`, or do not take that argument",
            )


def _compare(predicted: list[Any], evaluated: list[Any], paths: Sequence[Path], tolerance: float) -> None:
    if not evaluated:
        raise NotApplicable("evaluation keeps no outputs to compare with")
    if len(predicted) != len(evaluated):
        raise ConformanceError(
            "predict",
            f"the network gave {len(predicted)} rows for {len(paths)} files, and {len(evaluated)} in evaluation",
            _ONE_WAY,
        )
    for path, a, b in zip(paths, predicted, evaluated, strict=True):
        gap = _gap(a, b)
        if gap > tolerance:
            raise ConformanceError(
                "predict", f"for {path.name} the network says other than in evaluation, by up to {gap:.3g}", _ONE_WAY
            )


def _gap(a: Any, b: Any) -> float:
    """The largest difference of two outputs, relative where they are larger than one."""
    import torch

    if isinstance(a, Mapping):
        return max((_gap(a[key], b[key]) for key in a), default=0.0)
    if isinstance(a, list | tuple):
        return max((_gap(*pair) for pair in zip(a, b, strict=True)), default=0.0)
    a, b = (torch.as_tensor(value).detach().double().cpu() for value in (a, b))
    if a.shape != b.shape:
        return float("inf")
    scale = b.abs().clamp(min=1.0)
    return float(((a - b).abs() / scale).max()) if a.numel() else 0.0


def _check_bad_files(subject: Subject, good: Path) -> None:
    from toolkit.inference.predict import predict_files

    broken, absent = (
        subject.folder / "files" / f"broken{good.suffix}",
        subject.folder / "files" / f"absent{good.suffix}",
    )
    broken.write_bytes(b"neither a picture nor anything else")
    remedy = "raise VtkError(..., place=str(path)) with ExitCode.DATA, NO_INPUT or IO for a file that cannot be read"
    try:
        with subject.alone() as catalogue:
            answers = list(predict_files(_bundle(subject, catalogue), [broken, good, absent]))
    except VtkError as error:
        message = f"one bad file costs every file its answer: {error}"
        raise ConformanceError("predict", message, remedy) from error
    except Exception as error:
        message = f"a bad file raises {type(error).__name__}: {error}"
        raise ConformanceError("predict", message, remedy) from error
    if answers[0].record is not None or answers[2].record is not None:
        raise ConformanceError("predict", "a broken or absent file gets an answer", remedy)
    if answers[1].record is None:
        raise ConformanceError("predict", f"a good file beside bad ones gets none: {answers[1].error}", remedy)
