"""A program runs through the wrapper as it runs without it: real interpreters, every way to start one."""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from firetee import runtimes

ROOT = Path(__file__).parents[2]
BOOT = str(ROOT / "wrapper" / "__main__.py")

#: Prints all that a program can know about how it was started.
PROBE = """
import sys
main = sys.modules["__main__"]
print("argv", sys.argv)
print("orig_argv", sys.orig_argv[1:])
print("path", sys.path)
print("flags", sys.flags)
print("main", sorted(vars(main)))
for name in ("__name__", "__file__", "__package__", "__doc__", "__cached__", "__annotations__"):
    print(name, repr(vars(main).get(name, "missing")))
print("loader", type(vars(main).get("__loader__")).__name__, getattr(vars(main).get("__spec__"), "name", None))
print("builtins", type(main.__builtins__).__name__, main is sys.modules["__main__"], vars(main) is globals())
print("ours", [name for name in sys.modules if name.partition(".")[0] in ("wrapper", "log_capture", "_wrappers")])
print("hooks", sys.excepthook is sys.__excepthook__, [getattr(f, "__name__", type(f)) for f in sys.meta_path])
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On the oldest and the newest Python in the quick subset, on all in the matrix."""
    if "python" in metafunc.fixturenames:
        found = runtimes.installed()
        metafunc.parametrize(
            "python",
            [
                pytest.param(
                    each.path, id=each.minor, marks=[] if each in (found[0], found[-1]) else pytest.mark.matrix
                )
                for each in found
            ],
        )


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    stdout: str
    stderr: str


def run(
    python: Path, folder: Path, options: Sequence[str], program: Sequence[str], given: str = "", **env: str
) -> Ended:
    environ = {"PATH": os.environ["PATH"], "FIRETEE_DISABLED": "true", "PYTHONDONTWRITEBYTECODE": "1", **env}
    command = [str(python), *options, *program]
    done = subprocess.run(command, cwd=folder, env=environ, input=given, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def assert_same(python: Path, folder: Path, *program: str, options: Sequence[str] = (), given: str = "") -> Ended:
    """The program's output, messages and exit code are the same with and without the wrapper."""
    bare = run(python, folder, options, program, given)
    wrapped = run(python, folder, [*options, BOOT], program, given)
    assert wrapped.stdout.splitlines() == bare.stdout.splitlines()
    assert wrapped == bare
    return bare


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text('"""The program."""\n' + PROBE)
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PROBE)
    (package / "part.py").write_text(PROBE)
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "__main__.py").write_text(PROBE)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", PROBE)
    return tmp_path


@pytest.mark.parametrize(
    "program",
    [
        ["app.py"],
        ["./app.py", "a b", "", "-m"],
        ["package/part.py"],
        ["-m", "app", "x"],
        ["-mapp", "x"],
        ["-m", "package"],
        ["-m", "package.part", "-c"],
        ["-c", PROBE, "x", "-c"],
        ["directory", "x"],
        ["archive.zip", "x"],
    ],
    ids=lambda program: " ".join(program)[:12],
)
def test_a_program_finds_itself_as_it_was_started(program: list[str], python: Path, folder: Path) -> None:
    assert assert_same(python, folder, *program).code == 0


def test_a_program_from_standard_input(python: Path, folder: Path) -> None:
    assert assert_same(python, folder, "-", "x", given=PROBE).code == 0


def test_a_program_by_its_full_path_and_through_a_link(python: Path, folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "link.py").symlink_to(folder / "app.py")
    assert_same(python, folder, str(folder / "app.py"))
    assert_same(python, folder, "elsewhere/link.py")


def test_a_compiled_program(python: Path, folder: Path) -> None:
    done = subprocess.run(
        [str(python), "-c", "import py_compile; py_compile.compile('app.py', 'app.pyc')"], cwd=folder, check=True
    )
    assert done.returncode == 0
    assert assert_same(python, folder, "app.pyc").code == 0


@pytest.mark.parametrize(
    "options",
    [["-I"], ["-u"], ["-S"], ["-E", "-s"], ["-OO"], ["-X", "dev"], ["-W", "error"], ["-X", "utf8"]],
    ids=" ".join,
)
def test_the_interpreter_s_options_hold(options: list[str], python: Path, folder: Path) -> None:
    for program in (["app.py"], ["-m", "app"], ["-c", PROBE]):
        assert_same(python, folder, *program, options=options)


@pytest.mark.parametrize(
    "source",
    [
        "import sys; sys.exit()",
        "import sys; sys.exit(3)",
        "import sys; sys.exit('a message')",
        "import sys; sys.exit(None)",
        "raise SystemExit(['not', 'a', 'number'])",
        "1 / 0",
        "def deep(n):\n    deep(n - 1) if n else 1 / 0\ndeep(3)",
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('chained') from error",
        "class Odd(BaseException):\n    pass\nraise Odd('odd')",
        "raise KeyboardInterrupt",
        "import sys\nsys.excepthook = lambda *a: print(a[0], a[2].tb_frame.f_code.co_name)\nraise KeyError('x')",
        "this is no Python",
        "def f():\n\tif x:\n        y",
        "# -*- coding: latin-1 -*-\nprint(ascii('\u00e9'))",
        "import atexit, sys; atexit.register(print, 'bye'); sys.exit(2)",
        "import threading; threading.Thread(target=lambda: print('thread')).start()",
        "import os; os._exit(9)",
        "import os; os.kill(os.getpid(), 15)",
        "import sys; print('out'); print('err', file=sys.stderr); del sys.stdout",
        "import wrapper",
        "from __future__ import annotations\nx: no_such_name = 1\nprint(__annotations__)",
        "def f(n):\n    return f(n + 1)\nf(0)",
        "import pickle\nclass Thing: pass\nprint(type(pickle.loads(pickle.dumps(Thing()))) is Thing)",
        "import inspect\ndef f(): pass\nprint(inspect.getsource(f))",
    ],
)
def test_a_program_ends_as_it_ends_by_itself(source: str, python: Path, folder: Path) -> None:
    """Exit code, traceback, messages: whatever the interpreter says about its end."""
    (folder / "app.py").write_text(source)
    assert_same(python, folder, "app.py")
    assert_same(python, folder, "-m", "app")


@pytest.mark.parametrize("source", ["print(1)", "import sys; sys.exit(4)", "no Python here"])
def test_code_on_the_command_line_ends_as_it_ends_by_itself(source: str, python: Path, folder: Path) -> None:
    """But for a traceback's source lines, which Python 3.13 has learned to show for `-c`."""
    assert_same(python, folder, "-c", source)


@pytest.mark.parametrize("source", ["1 / 0", "import sys; sys.exit(4)", "no Python here", "raise KeyboardInterrupt"])
def test_code_from_standard_input_ends_as_it_ends_by_itself(source: str, python: Path, folder: Path) -> None:
    assert_same(python, folder, "-", given=source)


def test_a_program_is_found_again_by_the_processes_it_spawns(python: Path, folder: Path) -> None:
    (folder / "app.py").write_text(
        "import multiprocessing\ndef add(x): return x + 1\nif __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool: print(pool.map(add, [1]))\n"
    )
    assert assert_same(python, folder, "app.py").stdout == "[2]\n"


@pytest.mark.parametrize(
    "program",
    [["missing.py"], ["no/folder/app.py"], ["-m", "missing"], ["-m", "package.missing"], ["empty"]],
)
def test_a_program_that_is_not_there_is_reported_as_the_interpreter_does(
    program: list[str], python: Path, folder: Path
) -> None:
    (folder / "empty").mkdir()
    assert assert_same(python, folder, *program).code != 0


def test_a_program_can_recurse_exactly_as_deep(python: Path, folder: Path) -> None:
    (folder / "app.py").write_text(
        "def depth(n=0):\n    try: return depth(n + 1)\n    except RecursionError: return n\nprint(depth())\n"
    )
    for program in (["app.py"], ["-m", "app"], ["-c", (folder / "app.py").read_text()]):
        assert_same(python, folder, *program)


def test_a_program_with_modules_of_our_names_gets_its_own(python: Path, folder: Path) -> None:
    for name in ("wrapper", "log_capture", "wrapt", "_wrappers"):
        (folder / f"{name}.py").write_text(f"print('the program has its own {name}')")
    (folder / "app.py").write_text("import wrapper, log_capture, wrapt, _wrappers")
    assert assert_same(python, folder, "app.py").stdout.count("its own") == 4


def test_without_a_program_the_interpreter_is_run_as_if_we_were_not_there(python: Path, folder: Path) -> None:
    """As for anything else that goes wrong before the program: here the interpreter reads its standard input."""
    wrapped = run(python, folder, [BOOT], [], given="print('from the interpreter')")
    assert (wrapped.code, wrapped.stdout) == (0, "from the interpreter\n")
    assert wrapped.stderr.startswith("[firetee] cannot start (")
    assert wrapped.stderr.count("\n") == 1


def old_pythons() -> list[Path]:
    """Interpreters from before 3.10 that this machine has."""
    homes = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv").glob("versions/3.[6-9].*/bin/python3")
    return sorted([*homes, *Path("/usr/bin").glob("python3.[6-9]")])


@pytest.mark.parametrize("old", old_pythons(), ids=str)
@pytest.mark.parametrize("start", ["exec-wrapper", "program"])
def test_a_python_that_is_too_old_runs_the_program_as_if_we_were_not_there(old: Path, start: str, folder: Path) -> None:
    (folder / "app.py").write_text("import sys\nprint(sys.version, sys.argv, sys.flags.optimize)\nsys.exit(3)\n")
    bare = run(old, folder, [], ["-O", "app.py", "an argument", ""])
    if start == "exec-wrapper":
        home = folder / "opt"
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "exec-wrapper").symlink_to(ROOT / "bin" / "exec-wrapper")
        (home / "firetee").symlink_to(ROOT)
        arguments = [str(old), "-O", "app.py", "an argument", ""]
        wrapped = run(home / "bin" / "exec-wrapper", folder, arguments, [], FIRETEE_DISABLED="false")
    else:
        wrapped = run(old, folder, ["-O", BOOT], ["app.py", "an argument", ""])
    assert (wrapped.code, wrapped.stdout) == (bare.code, bare.stdout) == (3, bare.stdout)
    assert re.fullmatch(
        r"\[firetee\] cannot start \(it needs Python 3\.10 or later, and this is 3\.\d\.\d+\): "
        r"the function runs without it\n",
        wrapped.stderr,
    )
