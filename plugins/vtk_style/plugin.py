"""The task `style`: a content picture painted with the texture of style pictures.

It has no loop of its own. Its dataset is one evaluation, its model holds the image, a stage is a size, an epoch is
the time between two previews.

Sources: Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks" (2016); "A Neural Algorithm
of Artistic Style" (2015).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from toolkit import (
    Batch,
    Bundle,
    Data,
    ExitCode,
    Figure,
    OptimizerSetup,
    Option,
    Recipe,
    Run,
    Stage,
    VtkError,
    hookimpl,
)
from vtk_style.config import LBFGS, StyleRecipe

if TYPE_CHECKING:
    from torch import nn

_ROW_LIMIT = 3
"""Non-finite losses in a row that end the run."""


class OneEvaluation:
    """A dataset of a single item: the model holds everything that a step needs."""

    in_memory = True

    def __len__(self) -> int:
        return 1

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """The batch that every step gets."""
        import torch

        return Batch(torch.zeros(len(indices)))


class StyleTask:
    """Answers the core's hooks."""

    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        """The recipe's schema."""
        return StyleRecipe

    @hookimpl
    def vtk_options(self) -> list[Option]:
        """Flags of ``vtk run``."""
        return [
            Option("--content", "data.content", "Picture to be painted.", metavar="FILE"),
            Option("--style", "data.styles", "Picture whose texture it takes; repeatable.", True, "FILE[:WEIGHT]"),
            Option("--output", "output.path", "Where the result goes (.png, .jpg, .tif).", metavar="FILE"),
            Option("--size", "pyramid.size", "Longer side of the result in pixels.", metavar="PIXELS"),
            Option("--steps", "pyramid.steps", "Optimizer steps in all.", metavar="N"),
            Option("--weights", "model.weights", "imagenet, random, or a copy of VGG-19's weights.", metavar="FILE"),
            Option("--seed", "seed", "Seeds random filters and noise.", metavar="N"),
        ]

    @hookimpl
    def vtk_data(self, recipe: Recipe, run: Run) -> Data:
        """Read and check the pictures; the dataset is one evaluation."""
        from vtk_style.inputs import Inputs, picture_stamps
        from vtk_style.session import NAME, Layers, Session, check_output
        from vtk_style.weights import planned_download

        assert isinstance(recipe, StyleRecipe)
        layers = Layers.of(recipe)
        check_output(recipe)
        inputs = Inputs.read(recipe, layers.field)
        run.local[NAME] = Session(recipe, layers, inputs)
        for note in inputs.notes:
            run.say(note)
        plan: dict[str, Any] = {
            "stages": {stage.name: f"{stage.total_steps} steps" for stage in run.stages if stage.steps is not None}
        }
        if (wanted := planned_download(recipe.model.weights)) and not run.resumed:
            plan["downloads"] = [wanted]
        return Data(train=OneEvaluation(), plan=plan, stamps=picture_stamps(recipe))

    @hookimpl
    def vtk_model(self, recipe: Recipe, data: Data) -> nn.Module:
        """An empty image over the frozen network; the stages give the image its size.

        The network is loaded for a resumed run, too: checkpoints hold the image alone. Only ``vtk check``, which
        fetches nothing, makes do with random filters of the same shapes.
        """
        from vtk_style.model import StyleModel
        from vtk_style.session import Layers
        from vtk_style.vgg import VggFeatures
        from vtk_style.weights import load_parameters

        assert isinstance(recipe, StyleRecipe)
        taps = Layers.of(recipe).all
        source = "random" if data.restored and "downloads" in data.plan else recipe.model.weights
        parameters = load_parameters(source, max(tap.conv for tap in taps), recipe.seed)
        return StyleModel(VggFeatures(parameters, taps, recipe.model.pooling))

    @hookimpl
    def vtk_loss(self, recipe: Recipe, data: Data) -> Callable[[Any, Any], Any]:
        """The named terms, each times its weight."""
        from vtk_style.model import weighted_terms

        assert isinstance(recipe, StyleRecipe)
        return weighted_terms(recipe.loss.content, recipe.loss.style, recipe.loss.tv)

    @hookimpl
    def vtk_stage_start(self, run: Run, stage: Stage) -> None:
        """The next size."""
        from vtk_style.session import Session

        Session.of(run).begin_stage(run, stage)

    @hookimpl
    def vtk_optimizer(self, recipe: Recipe, model: nn.Module, stage: Stage) -> OptimizerSetup | None:
        """L-BFGS with one evaluation a step; the core builds any other."""
        import torch

        from toolkit.optim import scheduled
        from vtk_style import lbfgs
        from vtk_style.model import StyleModel

        section = stage.optimizer
        if not isinstance(section, LBFGS):
            return None
        dtype = torch.bfloat16 if section.history_dtype == "bf16" else None
        image = cast(StyleModel, model).image
        optimizer = lbfgs.LBFGS([image], lr=section.lr, history=section.history, history_dtype=dtype)
        return scheduled(optimizer, stage)

    @hookimpl(wrapper=True)
    def vtk_step(self, run: Run, batch: Any) -> Generator[None, Any, Any]:
        """Where the loss is not finite, go back to the last good image; where memory runs out, take smaller tiles."""
        from vtk_style.recovery import cut_smaller, recover

        try:
            terms = yield
        except VtkError as error:
            if error.code is not ExitCode.NON_FINITE:
                raise
            return recover(run, error, _ROW_LIMIT)
        except (MemoryError, RuntimeError) as error:
            cut_smaller(run, error)
            return run.hook.vtk_step(run=run, batch=batch)
        run.local["style_terms"] = terms
        run.plugin_state("style")["failures"] = 0
        return terms

    @hookimpl
    def vtk_epoch_end(self, run: Run, metrics: Mapping[str, float]) -> None:
        """A preview."""
        from vtk_style.model import StyleModel
        from vtk_style.session import Session

        previews = Session.of(run).previews
        if previews is not None:
            previews.submit(run.step, cast(StyleModel, run.model).picture)

    @hookimpl(wrapper=True)
    def vtk_fit(self, run: Run) -> Generator[None, Any, Any]:
        """Say what the run will take; write the result at the end, also where only the last good image is left."""
        from vtk_style.model import StyleModel
        from vtk_style.previews import Previews
        from vtk_style.session import Session

        session, model = Session.of(run), cast(StyleModel, run.model)
        _introduce(run)
        session.announce(run)
        assert run.directory is not None
        previews = session.previews = Previews(run.directory / "previews", session.finished)
        try:
            done = yield
        except VtkError as error:
            if error.code is ExitCode.NON_FINITE:
                model.restore_good()
                session.leave_stage(run)
                run.say(f"The last good image is in {session.write(run, model.picture)}")
            raise
        finally:
            previews.close()
        session.leave_stage(run)
        run.say(f"The result is in {session.write(run, model.picture)}")
        return done

    @hookimpl
    def vtk_predict(self, bundle: Bundle, inputs: Sequence[Path]) -> list[dict[str, Any]]:
        """There is nothing to predict: each picture is an optimisation of its own."""
        raise VtkError(
            "style transfer has no predictions: it optimises one picture and leaves no model behind",
            hint="Make a picture with: vtk run style --content a.jpg --style b.jpg --output out.png",
            code=ExitCode.USAGE,
        )

    @hookimpl
    def vtk_report(self, run: Run, result: Any) -> list[Figure]:
        """Content, styles and result side by side."""
        from vtk_style.model import StyleModel
        from vtk_style.session import Session
        from vtk_style.sheet import contact_sheet

        session, model = Session.of(run), cast(StyleModel, run.model)

        def draw(path: Path) -> None:
            contact_sheet(session.panels(session.finished(model.picture))).save(path, "PNG")

        return [Figure("contact-sheet", "Content, style and result", draw)]


def _introduce(run: Run) -> None:
    recipe = cast(StyleRecipe, run.recipe)
    if recipe.model.weights == "random":
        run.say("The network has seeded random filters, not trained ones: textures carry over, objects do not.")


plugin = StyleTask()
