"""Any classifier of torchvision or timm by name, trained or not.

``torchvision:resnet18`` and ``timm:resnet18`` say which library is meant. A plain name is torchvision's where
torchvision has a classifier of that name, else timm's; ``resnet18`` is therefore torchvision's, with the ImageNet
weights that most articles mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from toolkit.errors import ExitCode, VtkError, suggest
from toolkit.models import from_timm, from_torchvision
from toolkit.models.foreign_weights import by_shapes, without_prefixes
from toolkit.models.heads import heads
from toolkit.models.library import Form, Library, Preprocessing, wrong_image_size
from toolkit.models.weights import Download, fetch, load_state, read_state

Pretrained = bool | Literal["auto"]

# In the order in which a plain name is looked up.
_LIBRARIES: dict[str, Library] = {"torchvision": from_torchvision, "timm": from_timm}


@dataclass(frozen=True)
class Arch:
    """An architecture that exists: the library's name, and the library's name for it."""

    library: str
    name: str

    def __str__(self) -> str:
        return f"{self.library}:{self.name}"

    @property
    def home(self) -> Library:
        """The library itself."""
        return _LIBRARIES[self.library]


UNTRAINED = "untrained"
"""What a model's start is called that has nobody's weights."""


@dataclass
class Backbone:
    """A built model.

    Attributes:
        notes: sentences that the user should see, e.g. that no pretrained weights could be had.
        start: what its weights are, in a few words.
    """

    model: nn.Module
    arch: Arch
    notes: list[str] = field(default_factory=list)
    start: str = UNTRAINED


def resolve(name: str) -> Arch:
    """The architecture that a recipe's name stands for.

    Raises:
        VtkError: with the nearest names, if there is none.
    """
    prefix, _, bare = name.rpartition(":")
    for library, home in _LIBRARIES.items():
        if prefix in ("", library) and home.knows(bare):
            return Arch(library, bare)
    raise _unknown(name, prefix, bare)


def _unknown(name: str, prefix: str, bare: str) -> VtkError:
    searched = [prefix] if prefix in _LIBRARIES else list(_LIBRARIES)
    known = dict.fromkeys(known for library in searched for known in _LIBRARIES[library].names())
    return VtkError(
        f"no backbone is called {name!r}",
        place="model.arch",
        hint=suggest(bare.partition(".")[0], known) or "take a classifier of torchvision, or any model of timm",
        code=ExitCode.RECIPE,
    )


def create(
    name: str,
    *,
    num_classes: int,
    image_size: int,
    pretrained: Pretrained = False,
    weights: Path | None = None,
    match: Literal["names", "shapes"] = "names",
    head: Literal["keep", "new"] | None = None,
    dropout: float = 0.0,
    drop_path: float = 0.0,
) -> Backbone:
    """A backbone with a head of ``num_classes`` outputs, in float32 on the CPU.

    Args:
        name: see :func:`resolve`.
        num_classes: outputs of the head.
        image_size: side of the square RGB images that it will get, in pixels.
        dropout: share of the features that the head does not see in training.
        drop_path: largest share of residual branches left out in training (stochastic depth).
        pretrained: whether to load the library's weights; ``"auto"`` does where they are cached or can be fetched, and
            otherwise leaves a note and the model as initialised.
        weights: a local file to load instead; see :func:`toolkit.models.weights.read_state`. A head for another number
            of classes is left as initialised.
        match: how its tensors find their places: by name, or by order and shape.
        head: of that file: ``keep`` refuses one for another number of classes, ``new`` takes none.

    Raises:
        VtkError: unknown name; weights that cannot be had or do not fit; an image size that the network cannot take.
    """
    arch = resolve(name)
    form = Form(num_classes, image_size, dropout, drop_path)
    if weights is not None:
        built = _from_file(arch, form, weights, match, head)
    elif pretrained:
        built = _from_published(arch, form, optional=pretrained == "auto")
    else:
        built = Backbone(arch.home.build(arch.name, form), arch)
    _require_image_size(built, image_size)
    return built


def published(name: str) -> Download | None:
    """The weights that ``pretrained: true`` would load, and whether they are here.

    Fetches nothing. None: nobody has published any.
    """
    arch = resolve(name)
    return arch.home.published(arch.name)


def preprocessing(name: str, image_size: int | None = None) -> Preprocessing:
    """How the backbone's published weights want their images; the library's usual values where it has none."""
    arch = resolve(name)
    return arch.home.preprocessing(arch.name, image_size)


def _from_file(arch: Arch, form: Form, path: Path, match: str, head: str | None) -> Backbone:
    model = arch.home.build(arch.name, form)
    own, parts = model.state_dict(), heads(model)
    state = without_prefixes(read_state(path), own)
    # The order of a safetensors file is that of the names, and says nothing of the layers.
    ordered = path.suffix != ".safetensors" and not path.is_dir()
    matched = by_shapes(state, own, parts) if ordered else None
    notes = []
    if match == "shapes":
        if matched is None:
            raise _ambiguous(path, ordered)
        state = matched
        notes.append(f"the {len(state)} tensors of {path} were matched by order and shape, not by name")
    try:
        state = arch.home.convert(arch.name, model, state)
        kept = load_state(model, state, heads=parts, place=str(path), keep_head=head != "new")
    except VtkError as error:
        if match == "names" and matched is not None:
            error.hint = (
                "only the names differ: order and shapes are this architecture's; to go by those, set "
                f"model.weights: {{file: {path}, match: shapes}}"
            )
        raise
    return Backbone(model, arch, [*notes, _head_note(path, form.num_classes, kept, head)], f"weights of {path}")


def _ambiguous(path: Path, ordered: bool) -> VtkError:
    return VtkError(
        "the weights cannot be matched one to one by order and shape"
        + ("" if ordered else ": a safetensors file keeps no order"),
        place=str(path),
        hint="leave match: shapes out, or rename the file's tensors after the architecture's own",
        code=ExitCode.RECIPE,
    )


def _head_note(path: Path, num_classes: int, kept: bool, head: str | None) -> str:
    if kept:
        said = "" if head == "keep" else "; set model.head: new where its classes are others"
        return f"the head of {path}, for {num_classes} classes, is kept{said}"
    if head == "keep":
        raise VtkError(
            f"the head of the weights is not one for {num_classes} classes, and model.head: keep wants it kept",
            place=str(path),
            hint="set model.head: new, or leave it out",
            code=ExitCode.RECIPE,
        )
    return f"the head of {path} is left out; one for {num_classes} classes starts anew"


def _from_published(arch: Arch, form: Form, *, optional: bool) -> Backbone:
    try:
        path = fetch(_required(arch))
    except VtkError as error:
        if not optional or error.code != ExitCode.UNAVAILABLE:
            raise
        notes = [f"{error.message}; {arch} starts untrained"]
        return Backbone(arch.home.build(arch.name, form), arch, notes, f"{UNTRAINED}, for want of published weights")
    return Backbone(arch.home.build_published(arch.name, form, read_state(path)), arch, start="pretrained")


def _required(arch: Arch) -> Download:
    download = arch.home.published(arch.name)
    if download is None:
        raise VtkError(
            f"nobody has published weights for {arch}",
            place="model.pretrained",
            hint="give a local file with model.weights: FILE, or train from scratch with model.pretrained: false",
            code=ExitCode.UNAVAILABLE,
        )
    return download


def _require_image_size(built: Backbone, image_size: int) -> None:
    """A network meets an unusual image size now, not in the middle of the first step."""
    native = preprocessing(str(built.arch)).image_size
    if image_size == native:
        return
    was_training = built.model.training
    try:
        with torch.no_grad():
            built.model.eval()(torch.zeros(1, 3, image_size, image_size))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise wrong_image_size(str(built.arch), image_size, native) from error
    finally:
        built.model.train(was_training)
