"""Weights from outside: where published ones are, fetching them, reading any kind of file, loading it."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from toolkit.errors import ExitCode, VtkError
from toolkit.system.disk_errors import read_error
from toolkit.system.home import library_cache
from toolkit.system.os_errors import os_error

_PROBE_SECONDS = 10.0
# Averaged weights come first, as in timm: where a file has both, they are the ones that were evaluated.
_WRAPPERS = (
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "ema",
    "state_dict",
    "model_state_dict",
    "model",
    "module",
)
_DEEPEST = 3
_SHOWN_KEYS = 4


@dataclass(frozen=True)
class Download:
    """Published weights: a file at a URL, or a file in a repository of the Hugging Face hub.

    Args:
        source: the URL, or ``repository/file`` in the hub.
        megabytes: size of the file where it is known without asking.
        cached: the local copy, or None if it must be fetched.
    """

    source: str
    url: str | None = None
    repository: str | None = None
    filename: str | None = None
    megabytes: float | None = None
    cached: Path | None = None


def at_url(url: str, megabytes: float | None = None) -> Download:
    """Weights at a URL, kept in torch's hub folder."""
    path = _hub_folder() / Path(urlparse(url).path).name
    return Download(url, url=url, megabytes=megabytes, cached=path if path.is_file() else None)


def in_hub(repository: str, filename: str = "model.safetensors") -> Download:
    """Weights in a repository ``owner/name[@revision]`` of the Hugging Face hub, kept in its cache."""
    from huggingface_hub import try_to_load_from_cache

    name, _, revision = repository.partition("@")
    found = try_to_load_from_cache(name, filename, cache_dir=_repositories(), revision=revision or None)
    cached = Path(found) if isinstance(found, str) else None
    return Download(f"{name}/{filename}", repository=repository, filename=filename, cached=cached)


def fetch(download: Download) -> Path:
    """The local path of published weights, fetched if need be.

    Raises:
        VtkError: with exit code 69 if they are not cached and cannot be had.
    """
    if download.cached is not None:
        return download.cached
    try:
        return _from_url(download.url) if download.url else _from_hub(download)
    except Exception as error:
        if told := os_error(error):
            raise told from error
        # Sockets, HTTP, the hub's client and a wrong checksum each raise types of their own.
        raise VtkError(
            f"the pretrained weights {download.source} cannot be fetched: {_reason(error)}",
            hint="give a local file with model.weights: FILE, or train from scratch with model.pretrained: false",
            code=ExitCode.UNAVAILABLE,
        ) from error


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    text = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return str(text).splitlines()[0]


def hub_folder() -> Path:
    """torch's own folder of what it has downloaded; one in the toolkit's cache for a user without a home."""
    return library_cache(torch.hub.get_dir(), "torch", "TORCH_HOME")


def _repositories() -> Path:
    """The Hugging Face hub's own cache; one in the toolkit's cache for a user without a home."""
    from huggingface_hub import constants

    return library_cache(constants.HF_HUB_CACHE, "huggingface", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")


def _hub_folder() -> Path:
    return hub_folder() / "checkpoints"


def _from_url(url: str) -> Path:
    _require_reachable(url)
    path = _hub_folder() / Path(urlparse(url).path).name
    path.parent.mkdir(parents=True, exist_ok=True)
    stem, _, digest = path.stem.rpartition("-")
    torch.hub.download_url_to_file(url, str(path), hash_prefix=digest if stem and _is_hex(digest) else None)
    return path


def _from_hub(download: Download) -> Path:
    from huggingface_hub import hf_hub_download, hf_hub_url

    name, _, revision = str(download.repository).partition("@")
    filename = str(download.filename)
    _require_reachable(hf_hub_url(name, filename, revision=revision or None))
    return Path(hf_hub_download(name, filename, cache_dir=_repositories(), revision=revision or None))


def _require_reachable(url: str) -> None:
    """One short question first: the libraries' own retries take most of a minute to notice that there is no network."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_PROBE_SECONDS).close()
    except urllib.error.HTTPError as error:
        # A server that refuses HEAD may well serve the file.
        error.close()
        if error.code == 404:
            raise


def _is_hex(text: str) -> bool:
    return len(text) >= 8 and all(character in "0123456789abcdef" for character in text)


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file, by parameter name, on the CPU.

    Takes safetensors, and torch files that hold a state dict, bare or under one of the usual keys (averaged weights
    first); from a run or a
    bundle directory it takes the bundle's weights. No code in the file is ever run.

    Raises:
        VtkError: if the file is missing, damaged, or holds anything but tensors.
    """
    path = _weights_file(path)
    try:
        content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    except OSError as error:
        raise read_error(path, error) from error
    except Exception as error:
        # Both readers raise types of their own, and torch's unpickler nearly any, for a damaged file.
        raise VtkError(
            "not a weights file, or a damaged one",
            place=str(path),
            hint="expected a safetensors file, or a .pt/.pth file that holds a state dict and nothing that runs code",
        ) from error
    return _unwrap(content, path)


def _weights_file(path: Path) -> Path:
    if path.is_dir():
        for inside in ("model.safetensors", "bundle/model.safetensors"):
            if (path / inside).is_file():
                return path / inside
        raise VtkError("no weights in this directory", place=str(path), code=ExitCode.NO_INPUT)
    if not path.is_file():
        raise VtkError("no such weights file", place=str(path), hint="check model.weights", code=ExitCode.NO_INPUT)
    return path


def _read_safetensors(path: Path) -> Any:
    from safetensors.torch import load, load_file

    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:  # the library opens files by names in UTF-8 alone
        return load(path.read_bytes())
    return load_file(str(path))


def _read_torch(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _unwrap(content: Any, path: Path) -> dict[str, Tensor]:
    for _ in range(_DEEPEST):
        inner = [content[key] for key in _WRAPPERS if isinstance(content, Mapping) and _is_mapping(content.get(key))]
        content = inner[0] if inner else content
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise VtkError(
            "the file holds no state dict (parameter names with their tensors)",
            place=str(path),
            hint="save it with torch.save(model.state_dict(), FILE) or with safetensors",
        )
    prefix = "module." if all(str(name).startswith("module.") for name in content) else ""
    return {str(name).removeprefix(prefix): tensor for name, tensor in content.items()}


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def load_state(
    model: nn.Module, state: Mapping[str, Tensor], *, heads: Iterable[str], place: str, keep_head: bool = True
) -> bool:
    """Copy ``state`` into ``model``. A head made for another number of classes is left as initialised.

    Args:
        model: takes the weights.
        state: tensors by parameter name.
        heads: names of the modules that may be left out, e.g. ``("fc",)``.
        place: where the weights are from, for the error.
        keep_head: False leaves the head as initialised, also where it fits.

    Returns:
        Whether the head was copied as well.

    Raises:
        VtkError: if anything but the head differs in name, shape or kind of number; the first differing keys are named.
    """
    own = model.state_dict()
    in_head = {name for name in {**own, **state} if _inside(name, heads)}
    keep_head = keep_head and all(
        name in own and name in state and own[name].shape == state[name].shape for name in in_head
    )
    ignored = set() if keep_head else in_head
    _require_match(own, state, ignored, place)
    model.load_state_dict({name: state[name] for name in own if name not in ignored}, strict=False)
    return keep_head


def _inside(name: str, modules: Iterable[str]) -> bool:
    return any(name.startswith(f"{module}.") for module in modules)


def _require_match(own: Mapping[str, Tensor], state: Mapping[str, Tensor], ignored: set[str], place: str) -> None:
    missing = [name for name in own if name not in state and name not in ignored]
    unknown = [name for name in state if name not in own and name not in ignored]
    reshaped = [
        f"{name} {_shape(state[name])} instead of {_shape(own[name])}"
        for name in own
        if name in state and name not in ignored and own[name].shape != state[name].shape
    ]
    recast = other_kinds({name: tensor for name, tensor in own.items() if name not in ignored}, state)
    kinds = {"missing": missing, "unknown": unknown, "of another shape": reshaped, "of another type": recast}
    complaints = [f"{len(names)} {kind}: {_first(names)}" for kind, names in kinds.items() if names]
    if complaints:
        raise VtkError(
            f"the weights do not fit the model ({'; '.join(complaints)})",
            place=place,
            hint="the file must hold this architecture's weights under its own names; only the head may have another "
            "number of classes",
        )


def other_kinds(own: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
    """Which tensors of ``state`` hold another kind of number than the network's, which copying would hide."""
    pairs = [(name, own[name], state[name]) for name in own if name in state]
    return [
        f"{name} {_dtype(saved)} instead of {_dtype(mine)}"
        for name, mine, saved in pairs
        if isinstance(mine, Tensor) and isinstance(saved, Tensor) and _kind(mine) != _kind(saved)
    ]


def _kind(tensor: Tensor) -> str:
    """What may stand for another tensor: any float for any, since only digits are lost."""
    if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
        return "no plain numbers"
    if tensor.is_complex():
        return "complex"
    return "float" if tensor.is_floating_point() else "bool" if tensor.dtype == torch.bool else "integer"


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "scalar"


def _first(names: list[str]) -> str:
    rest = len(names) - _SHOWN_KEYS
    return ", ".join(names[:_SHOWN_KEYS]) + (f" and {rest} more" if rest > 0 else "")
