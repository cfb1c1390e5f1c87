"""`firetee local`: any function in the real emulator, through the layer's wrapper, into an embedded Firehose."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from firetee import layer, project, runtimes
from firetee.embedded.endpoint import Endpoint
from firetee.embedded.firehose import EmbeddedFirehose
from firetee.embedded.moto import Moto, NoMotoError
from firetee.emulator import Function
from firetee.fetch import FetchError
from firetee.project import ProjectError
from firetee.rehearsal import Place, Rehearsal, prepare, rehearse
from firetee.screen import Screen
from firetee.serving import Served
from firetee.watching import Watch, drop_stale

#: Where `--serve` listens if no port is said: the one that AWS's images document for the emulator, 9000, and one more.
PORT = 9001


@dataclass(frozen=True)
class Asked:
    """What the command line says of the function, its events and files; they are read anew for each run."""

    task_root: Path
    handler: str
    name: str
    event_names: tuple[str, ...]
    stdin: Callable[[], str]
    env_file: Path | None
    assignments: tuple[str, ...]
    timeout_s: int
    memory_mb: int
    around: dict[str, str]
    layers: tuple[Path, ...]
    opt: Path

    def function(self) -> Function:
        """The function as it is to run now, with its layers laid in `opt`. Raises `UsageError`, `ProjectError`."""
        env = {**self.around, **_settings(self.env_file, self.assignments)}
        if self.layers:
            shutil.rmtree(self.opt, ignore_errors=True)
            env["EMULATED_OPT"] = str(project.lay(self.layers, self.opt))
            drop_stale(self.opt)
        return Function(
            self.task_root, self.handler, env, self.name, memory_mb=self.memory_mb, timeout_s=self.timeout_s
        )

    def events(self) -> list[object]:
        """The events, or one that is empty. Raises `UsageError`."""
        return [_event(name, self.stdin) for name in self.event_names] or [{}]

    def beside(self) -> list[Path]:
        """What a run depends on besides the function's folder."""
        events = [Path(name) for name in self.event_names if name != "-"]
        return [*events, *([self.env_file] if self.env_file else []), *self.layers]


@click.command()
@click.argument("target", metavar="FILE.HANDLER")
@click.option(
    "--event",
    "event_names",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="A JSON file, - for stdin; repeatable.",
)
@click.option("--python", "minor", help="The Python to run it on, as 3.12; by default the project's, or firetee's own.")
@click.option(
    "--ric",
    default=runtimes.DEFAULT_RIC,
    show_default=True,
    type=click.Choice(list(runtimes.RICS)),
    help="The version of AWS's runtime client.",
)
@click.option(
    "--env", "assignments", multiple=True, metavar="NAME=VALUE", help="A variable of the function; repeatable."
)
@click.option(
    "--env-file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A file of NAME=VALUE lines."
)
@click.option(
    "--packages",
    default="auto",
    show_default=True,
    metavar="FOLDER|auto|none",
    help="Installed packages: a virtual environment or a folder of packages. auto: the active virtual "
    "environment, or .venv beside or above the function.",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="Another layer that the function uses, a folder or zip that has `python/`; repeatable.",
)
@click.option("--name", help="The function's name; by default the file's.")
@click.option("--timeout", "timeout_s", default=30, show_default=True, help="The function's timeout in seconds.")
@click.option("--memory", "memory_mb", default=128, show_default=True, help="The memory it is told to have, in MB.")
@click.option("--zip", "zip_path", type=click.Path(path_type=Path, exists=True), help="firetee's layer, built before.")
@click.option("--moto", is_flag=True, help="The other services of AWS by moto: pip install 'firetee[local]'.")
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Leave the delivered objects in this folder."
)
@click.option("--serve", is_flag=True, help="Answer invocations of other programs until Ctrl-C.")
@click.option("--port", default=PORT, show_default=True, help="Where --serve listens, on 127.0.0.1; 0 for any.")
@click.option("--watch", is_flag=True, help="Run it again whenever a file beside it changes, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: lines, responses, a summary.")
def command(
    target: str,
    event_names: tuple[str, ...],
    minor: str | None,
    ric: str,
    assignments: tuple[str, ...],
    env_file: Path | None,
    packages: str,
    layers: tuple[Path, ...],
    name: str | None,
    timeout_s: int,
    memory_mb: int,
    zip_path: Path | None,
    moto: bool,
    keep: Path | None,
    serve: bool,
    port: int,
    watch: bool,
    as_json: bool,
) -> None:
    """Run a function here, in AWS's emulator with the real runtime client, and watch its lines arrive.

    FILE.HANDLER is a file without .py and a function in it: src/app.handler. It is invoked once for each --event, the
    first time cold, then warm; without any, once with {}. It needs no AWS account: the lines go to an embedded
    Firehose. With --serve it is invoked by others: aws lambda invoke --endpoint-url http://127.0.0.1:9001 ...

    Exits with 1 if the function failed or timed out, or if a line is missing in the end.
    """
    task_root, handler = _split(target)
    screen = Screen(Console(highlight=False), as_json)
    try:
        with ExitStack() as stack:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="firetee-local-")))
            python, around = _python(minor, packages, task_root, screen)
            if moto:
                around["AWS_ENDPOINT_URL"] = stack.enter_context(Moto()).url
            # A folder that cannot be written to, as on Lambda, would get no compiled files either.
            around["PYTHONDONTWRITEBYTECODE"] = "1"
            asked = Asked(
                task_root, handler, name or handler.partition(".")[0], event_names, functools.cache(sys.stdin.read),
                env_file, assignments, timeout_s, memory_mb, around, layers, scratch / "layers",
            )  # fmt: skip
            function: Function | None = asked.function()
            events = asked.events()
            if zip_path is not None:
                layer.unpack(zip_path, scratch / "opt")
            opt = prepare(python, ric, screen.note, scratch / "opt" if zip_path else None)
            bucket = (keep or scratch / "bucket").resolve()
            firehose = stack.enter_context(EmbeddedFirehose(bucket, on_stored=screen.stored))
            place = Place(python, ric, opt, firehose)
            watching = Watch(task_root, asked.beside(), [bucket]) if watch else None
            if serve:
                _serve(asked, place, port, watching, screen)
            while True:
                if function is not None:
                    drop_stale(task_root)
                    done = rehearse(function, events, place, screen.response)
                    screen.summary(done)
                    if watching is None:
                        raise SystemExit(_status(done))
                assert watching is not None
                watching.end()
                watching.wait()
                watching.begin()
                try:
                    function, events = asked.function(), asked.events()
                except (click.UsageError, ProjectError) as error:  # saved half way, perhaps
                    function = None
                    screen.failure(str(error))
    except (FetchError, layer.LayerError, LookupError, ProjectError, NoMotoError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(0) from None


def _status(done: Rehearsal) -> int:
    """The exit status: an invocation that failed and a line that is missing are failures, a filtered line is not."""
    return 1 if done.missing or any(response.error for response in done.responses) else 0


def _python(
    minor: str | None, packages: str, task_root: Path, screen: Screen
) -> tuple[runtimes.Python, dict[str, str]]:
    """What to run on, and the variables that give the function the project's packages.

    Raises `LookupError`, `ProjectError`.
    """
    if packages == "none":
        return (runtimes.find(minor) if minor else runtimes.this()), {}
    place = project.virtual_environment(task_root) if packages == "auto" else Path(packages)
    if place is None:
        return (runtimes.find(minor) if minor else runtimes.this()), {}
    if not place.is_dir():
        raise ProjectError(f"--packages {packages}: there is no such folder")
    python = runtimes.find(minor) if minor else project.python_of(place) or runtimes.this()
    try:
        return python, {"EMULATED_PACKAGES": str(project.site_packages(place, python))}
    except ProjectError as error:
        if packages != "auto":
            raise
        screen.note(f"{error}: it runs without them.")
        return python, {}


def _serve(asked: Asked, place: Place, port: int, watching: Watch | None, screen: Screen) -> None:
    """Answer invocations until SIGINT or SIGTERM; then exit as after a run."""
    with Served(asked.function, place, watching, screen) as served:
        try:
            endpoint = Endpoint(asked.name, served.invoke, port)
        except OSError as error:
            what = os.strerror(error.errno or 0)
            raise click.ClickException(f"--port {port}: {what}; --port 0 takes a free one") from error
        with endpoint:
            screen.serving(asked.name, endpoint.url)
            _wait_for_a_signal()
        served.end()
    raise SystemExit(1 if served.missing else 0)


def _wait_for_a_signal() -> None:
    """Until SIGINT or SIGTERM; main thread only."""
    came = threading.Event()
    before = {number: signal.signal(number, lambda *_: came.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        came.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _split(target: str) -> tuple[Path, str]:
    """The task root and the handler's name of FILE.HANDLER. Raises `UsageError` if there is no such file."""
    path, dot, handler = target.rpartition(".")
    file = Path(f"{path}.py").resolve()
    if not dot or not file.is_file():
        raise click.UsageError(
            f"{target}: there is no file {path or target}.py; FILE.HANDLER is for instance src/app.handler"
        )
    return file.parent, f"{file.stem}.{handler}"


def _settings(env_file: Path | None, assignments: Sequence[str]) -> dict[str, str]:
    """The function's variables: those of the file, then those of the command line."""
    settings = project.variables(env_file) if env_file else {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not name or not equals:
            raise click.UsageError(f"--env {assignment}: NAME=VALUE is needed")
        settings[name] = value
    if settings.get("FIRETEE_FORMAT", "json") != "json":
        raise click.UsageError("FIRETEE_FORMAT=text has no envelopes to follow the lines by: leave it out here")
    return settings


def _event(name: str, stdin: Callable[[], str]) -> object:
    try:
        return json.loads(stdin() if name == "-" else Path(name).read_text())
    except ValueError as error:
        raise click.UsageError(f"--event {name}: not JSON: {error}") from error
