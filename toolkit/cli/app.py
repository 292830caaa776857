"""The ``vtk`` command: verbs that are imported only when they run, and the door through which every error leaves."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from toolkit.cli.echo import echo
from toolkit.cli.failures import report
from toolkit.cli.streams import own_streams
from toolkit.cli.verb import NO_PLUGINS, TRACEBACK, Session, common_options
from toolkit.errors import ExitCode, suggest
from toolkit.system.environ import restore_environment
from toolkit.system.home import find_place_for_plots
from toolkit.system.memory_limit import require_loadable_torch
from toolkit.system.signals import own_signals

VERBS = {
    "run": "Train as a recipe says, then evaluate.",
    "check": "Validate a recipe, show the plan, look through the data.",
    "predict": "Predict image files with a finished run.",
    "eval": "Evaluate a finished run on a split or on new data.",
    "tune": "Find a learning rate for a recipe.",
    "bench": "Measure how fast a recipe trains here.",
    "recipes": "List, show or copy the shipped recipes.",
    "plugins": "List, check or show the installed tasks and extensions.",
    "schema": "Print a task's recipe schema.",
    "new-plugin": "Begin a task or an extension of your own.",
}

# What other tools call the same thing.
_ELSEWHERE = {
    **dict.fromkeys(("train", "fit", "finetune", "fine-tune", "resume", "start"), "run"),
    **dict.fromkeys(("val", "validate", "test", "evaluate", "score"), "eval"),
    **dict.fromkeys(("infer", "inference", "classify", "apply"), "predict"),
    **dict.fromkeys(("lr-find", "lr_find", "find-lr"), "tune"),
    **dict.fromkeys(("benchmark", "profile"), "bench"),
    **dict.fromkeys(("configs", "ls", "models"), "recipes"),
}

_ENVIRONMENT = {
    "NO_ALBUMENTATIONS_UPDATE": "1",
    # Idle OpenMP threads give the core back soon: without it a busy neighbour slows training many times over.
    "GOMP_SPINCOUNT": "1000",
}
_WITH_TORCH = {"run", "check", "predict", "eval", "tune", "bench"}
_HELP = {"-h", "--help"}
_COMPLETE = "_VTK_COMPLETE"


class LazyGroup(click.Group):
    """Knows its verbs' names and one-line helps; imports ``toolkit.cli.<verb>`` when a verb is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order of a newcomer's needs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"toolkit.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        if isinstance(ctx.obj, Session):
            ctx.obj.verb = cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Click's own, with a hint at the verb that was meant."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            ctx.fail(_no_such_verb(args[0]))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _no_such_verb(name: str) -> str:
    missing = f"there is no command {name!r}"
    if name.endswith((".yaml", ".yml")) or os.path.exists(name):
        return f"{missing}; did you mean 'vtk run {name}'?"
    meant = f"did you mean {_ELSEWHERE[name]!r}?" if name in _ELSEWHERE else suggest(name, VERBS, 1)
    return f"{missing}; {meant}" if meant else missing


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    echo(f"vtk {version('vision-toolkit')}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    params=common_options(),
    epilog="Begin with:  vtk run digits   (`vtk COMMAND --help` shows examples)",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Train and run vision models from recipe files; every task is a plugin."""
    if ctx.invoked_subcommand is None:
        echo(ctx.get_help())


def main(args: Sequence[str] | None = None) -> int:
    """Run ``vtk`` with ``args`` (the process's own by default) and return the exit code, one of ``ExitCode``.

    Afterwards the environment, the standard streams, signal handlers, random states and library settings are what they
    were; see :func:`toolkit.system.process.left_as_found` for the little that is not.
    """
    words = sys.argv[1:] if args is None else list(args)
    flags = words[: words.index("--") if "--" in words else None]
    session = Session(traceback=TRACEBACK in flags or os.environ.get("VTK_TRACEBACK", "") not in {"", "0"})
    with (
        own_signals(own_process=args is None),
        _environment(without_plugins=NO_PLUGINS in flags),
        own_streams() as streams,
    ):
        code = _guarded(words, session)
    if code != ExitCode.OK:
        return code
    if streams.failure is not None:
        return report(streams.failure, with_traceback=session.traceback)
    return int(ExitCode.READER_LEFT) if streams.reader_left and session.verb != "run" else code


def _guarded(words: list[str], session: Session) -> int:
    """Every error ends here, as a message and an exit code."""
    try:
        code = _invoke(words, session)
        sys.stdout.flush()
    except BaseException as error:
        try:
            return report(error, with_traceback=session.traceback)
        except MemoryError:
            os.write(2, b"error: out of memory\n")
            return int(ExitCode.OUT_OF_MEMORY)
    return code


@contextmanager
def _environment(*, without_plugins: bool) -> Iterator[None]:
    """The environment for a while, for this process and those that it starts; then it and warnings are as before."""
    from toolkit.hooks.entry import DISABLE

    before = dict(os.environ)
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if without_plugins:
        os.environ[DISABLE] = ",".join(filter(None, [before.get(DISABLE), "*"]))
    try:
        with warnings.catch_warnings():  # libraries add filters of their own when they are imported
            yield
    finally:
        restore_environment(before)


@contextmanager
def _ready_to_work(args: list[str]) -> Iterator[None]:
    """Around verbs that need torch: it can be loaded, and warnings that only the logger gets are shown."""
    if _WITH_TORCH.isdisjoint(args[:1]) or not _HELP.isdisjoint(args):
        yield
        return
    from toolkit.system.log import shown_warnings
    from toolkit.system.os_errors import require_current_folder

    with shown_warnings():
        require_current_folder()
        find_place_for_plots()
        require_loadable_torch()
        yield


def _invoke(args: list[str], session: Session) -> int:
    """What click's own ``main`` does, less its ways of exiting: every end of ``vtk`` is one of ours."""
    instruction = os.environ.get(_COMPLETE)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "vtk", _COMPLETE, instruction)
    try:
        with _ready_to_work(args), cli.make_context("vtk", args, obj=session) as ctx:
            return int(cli.invoke(ctx) or 0)
    except click.exceptions.Exit as end:
        return int(end.exit_code)
