"""Verbs of ``vtk`` run for real as another user or beside a read-only mount, all in one process of that surrounding."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UID = 12345

# Who starts a command in the background of a script has SIGINT ignored, and its children inherit that.
_VERBS = """
import contextlib, io, json, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from toolkit.cli import main
answers = []
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        code = main(words)
    answers.append([code, said.getvalue()])
print(json.dumps(answers))
"""
# What is needed may lie in a folder that is another user's alone: an empty one with just that in it takes its place.
# $1 holds a line for each: "keep PATH SPARE", then "shut PATH", then "back PATH SPARE".
_AS_USER = """
mount --make-rprivate / || exit 9
printf '%s\\n' "$1" | while read -r verb path spare; do
    case "$verb" in
        keep) mkdir -p "$spare" && mount --bind "$path" "$spare" ;;
        shut) mount -t tmpfs -o mode=755 none "$path" ;;
        back) mkdir -p "$path" && mount --bind "$spare" "$path" ;;
    esac || exit 9
done || exit 9
shift; exec "$@"
"""
_READ_ONLY = 'mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 9; shift; "$@"'


def unavailable() -> str:
    """Why these cannot be run here; empty where they can."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "only root can become another user and mount"
    missing = [name for name in ("unshare", "setpriv", "prlimit") if shutil.which(name) is None]
    if missing:
        return f"{missing[0]} is not installed"
    if subprocess.run(["unshare", "-m", "mount", "--make-rprivate", "/"], capture_output=True, check=False).returncode:
        return "mounts are not allowed here"
    return ""


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user may look into."""
    with tempfile.TemporaryDirectory(prefix="vtk-surroundings-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_user(
    verbs: list[list[str]], folder: Path, *, processes: int | None = None, **environment: str
) -> list[tuple[int, str]]:
    """Exit code and stderr of each verb, run as a user without a name, in ``folder``.

    Args:
        processes: how many (threads count) this user may have.
    """
    # The limit counts all processes of a user, those of other tests too, so it is set for a user who has no others.
    uid = UID if processes is None else UID + 1
    user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    if processes is not None:
        user = ["prlimit", f"--nproc={processes}", *user]
    with tempfile.TemporaryDirectory(prefix="vtk-spare-", dir="/dev/shm") as spare:
        Path(spare).chmod(0o755)
        steps = _opening(_needed(folder), Path(spare))
        return _answers(["unshare", "-m", "sh", "-c", _AS_USER, "-", steps, *user], verbs, folder, environment)


def beside_read_only(read_only: Path, verbs: list[list[str]], folder: Path, **environ: str) -> list[tuple[int, str]]:
    """Exit code and stderr of each verb, run where nothing can be written in ``read_only``."""
    return _answers(["unshare", "-m", "sh", "-c", _READ_ONLY, "-", str(read_only)], verbs, folder, environ)


def _needed(folder: Path) -> list[Path]:
    """Where Python, its packages, the toolkit and the pictures lie, none of them inside another."""
    places = {folder, Path(sys.base_prefix), Path(sys.prefix), *(Path(p) for p in sys.path if p and Path(p).is_dir())}
    return sorted(p for p in places if not any(above in places for above in p.parents))


def _shut(path: Path) -> Path | None:
    """The outermost folder on the way to ``path`` that other users may not pass."""
    return next((p for p in reversed([path, *path.parents]) if not p.stat().st_mode & 0o001), None)


def _opening(needed: list[Path], spare: Path) -> str:
    """The mounts after which every user can read what is ``needed``."""
    shut = {path: above for path in needed if (above := _shut(path)) is not None}
    spares = {path: spare / str(number) for number, path in enumerate(shut)}
    return "\n".join(
        [f"keep {path} {kept}" for path, kept in spares.items()]
        + [f"shut {above}" for above in dict.fromkeys(shut.values())]
        + [f"back {path} {kept}" for path, kept in spares.items()]
    )


def _answers(
    before: list[str], verbs: list[list[str]], folder: Path, environment: dict[str, str]
) -> list[tuple[int, str]]:
    command = [*before, sys.executable, "-c", _VERBS, json.dumps(verbs)]
    kept = {name: value for name, value in os.environ.items() if name not in {"HOME", "VTK_CACHE", "XDG_CACHE_HOME"}}
    done = subprocess.run(
        command, cwd=folder, env=kept | environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return [(code, said) for code, said in json.loads(done.stdout.splitlines()[-1])]
