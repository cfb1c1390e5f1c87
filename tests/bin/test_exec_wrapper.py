"""`bin/exec-wrapper` puts our program behind the interpreter's options, and changes nothing else."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "bin" / "exec-wrapper"

#: Shows its arguments and environment and ends with its own exit code; it stands for Python and for other programs.
SHOW = f"""#!{sys.executable} -IS
import json, os, sys
print(json.dumps([sys.argv, dict(os.environ)]))
sys.exit(7)
"""

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


def program(path: Path, text: str = SHOW) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def opt(tmp_path: Path) -> Path:
    """A layer as it is unpacked, in a folder whose name needs care."""
    layer = tmp_path / "a layer's $folder"
    program(layer / "bin" / "exec-wrapper", SOURCE.read_text())
    program(layer / "firetee" / "wrapper" / "__main__.py", "")
    program(layer / "bin" / "python3.12")
    program(layer / "bin" / "node")
    return layer


def run(
    opt: Path, command: Sequence[str], *, shell: str = "", **variables: str
) -> tuple[list[str], dict[str, str], subprocess.CompletedProcess[str]]:
    """What the command that is run in the end sees: its arguments (0 included) and its environment."""
    wrapper = opt / "bin" / "exec-wrapper"
    start = [*([shell, "sh"] if shell == "busybox" else [shell] if shell else []), str(wrapper), *command]
    done = subprocess.run(
        start, env={"PATH": os.environ["PATH"], **variables}, capture_output=True, text=True, check=False
    )
    arguments, environ = json.loads(done.stdout)
    return arguments, environ, done


def boot(opt: Path) -> str:
    return str(opt / "bin" / ".." / "firetee" / "wrapper" / "__main__.py")


BOOT = "<boot>"
CASES = [
    (["/var/runtime/bootstrap.py"], [BOOT, "/var/runtime/bootstrap.py"]),
    (["-X", "importtime", "bootstrap.py"], ["-X", "importtime", BOOT, "bootstrap.py"]),
    (["-Xdev", "bootstrap.py", "-X", "mine"], ["-Xdev", BOOT, "bootstrap.py", "-X", "mine"]),
    (["-uX", "dev", "bootstrap.py"], ["-uX", "dev", BOOT, "bootstrap.py"]),
    (["-uXdev", "bootstrap.py"], ["-uXdev", BOOT, "bootstrap.py"]),
    (["-W", "error", "bootstrap.py"], ["-W", "error", BOOT, "bootstrap.py"]),
    (["-Werror", "-I", "bootstrap.py"], ["-Werror", "-I", BOOT, "bootstrap.py"]),
    (["-IW", "error", "bootstrap.py"], ["-IW", "error", BOOT, "bootstrap.py"]),
    (["--check-hash-based-pycs", "always", "b.py"], ["--check-hash-based-pycs", "always", BOOT, "b.py"]),
    (["-B", "-S", "-E", "-OO", "b.py"], ["-B", "-S", "-E", "-OO", BOOT, "b.py"]),
    (["-m", "awslambdaric", "app.handler"], [BOOT, "-m", "awslambdaric", "app.handler"]),
    (["-mawslambdaric", "app.handler"], [BOOT, "-mawslambdaric", "app.handler"]),
    (["-um", "awslambdaric", "app.handler"], ["-u", BOOT, "-m", "awslambdaric", "app.handler"]),
    (["-X", "dev", "-Im", "mod"], ["-X", "dev", "-I", BOOT, "-m", "mod"]),
    (["-umawslambdaric", "app.handler"], ["-u", BOOT, "-mawslambdaric", "app.handler"]),
    (["-umXmas", "x"], ["-u", BOOT, "-mXmas", "x"]),
    (["-Wcm", "b.py"], ["-Wcm", BOOT, "b.py"]),
    (["-ucprint(1)"], ["-u", BOOT, "-cprint(1)"]),
    (["-c", "print(1)", "-c"], [BOOT, "-c", "print(1)", "-c"]),
    (["-uc", "print(1)"], ["-u", BOOT, "-c", "print(1)"]),
    (["-"], [BOOT, "-"]),
    (["-u", "-", "a"], ["-u", BOOT, "-", "a"]),
    (["with space.py", "", "'", '"', "$HOME", "`id`", "*", "a\nb", "\\", "é"], None),
    (["b.py", "--", "-m"], [BOOT, "b.py", "--", "-m"]),
]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("arguments", "expected"), CASES, ids=lambda case: " ".join(case or ())[:40])
def test_our_program_stands_behind_the_interpreter_s_options_and_every_argument_is_kept(
    arguments: list[str], expected: list[str] | None, shell: str, opt: Path
) -> None:
    python = str(opt / "bin" / "python3.12")
    seen, _, done = run(opt, [python, *arguments], shell=shell)
    assert seen == [python, *[boot(opt) if a == BOOT else a for a in expected or [BOOT, *arguments]]]
    assert done.stderr == ""
    assert done.returncode == 7


@pytest.mark.parametrize("name", ["python", "python3", "python3.9", "python3.14"])
def test_it_knows_python_by_its_name(name: str, opt: Path) -> None:
    python = program(opt / "bin" / name)
    assert run(opt, [str(python), "b.py"])[0] == [str(python), boot(opt), "b.py"]


@pytest.mark.parametrize("name", ["node", "python2.7", "pythonista", "my-python3"])
def test_what_is_not_python_runs_as_it_is(name: str, opt: Path) -> None:
    other = program(opt / "bin" / name)
    assert run(opt, [str(other), "-m", "a b"])[0] == [str(other), "-m", "a b"]


@pytest.mark.parametrize("value", ["true", "TRUE", "True", "1", "yes", "on", "On"])
def test_disabled_it_runs_the_command_as_it_is(value: str, opt: Path) -> None:
    python = str(opt / "bin" / "python3.12")
    assert run(opt, [python, "-um", "x"], FIRETEE_DISABLED=value)[0] == [python, "-um", "x"]


@pytest.mark.parametrize("value", ["", "false", "0", "no", "whatever"])
def test_not_disabled_it_serves(value: str, opt: Path) -> None:
    assert boot(opt) in run(opt, [str(opt / "bin" / "python3.12"), "b.py"], FIRETEE_DISABLED=value)[0]


def test_without_its_payload_it_runs_the_command_as_it_is(opt: Path) -> None:
    shutil.rmtree(opt / "firetee")
    python = str(opt / "bin" / "python3.12")
    assert run(opt, [python, "-um", "x"])[0] == [python, "-um", "x"]


def test_it_finds_its_payload_when_it_is_found_on_the_path(opt: Path) -> None:
    done = subprocess.run(
        ["exec-wrapper", str(opt / "bin" / "python3.12"), "b.py"],
        env={"PATH": f"{opt / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)[0][1:] == [boot(opt), "b.py"]


def test_it_exports_nothing(opt: Path) -> None:
    variables = {"HOME": "/nowhere", "FIRETEE_STREAM": "logs"}
    with_us = run(opt, [str(opt / "bin" / "python3.12"), "b.py"], shell="dash", **variables)[1]
    ignored = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}  # of shells and of the Python that shows it
    assert {name for name in with_us if name not in ignored} == {"PATH", *variables}


def test_another_wrapper_runs_in_between_and_gets_the_whole_command(opt: Path) -> None:
    other = program(opt / "other wrapper", '#!/bin/sh\nexec "$@" from-the-other\n')
    python = str(opt / "bin" / "python3.12")
    seen, _, done = run(opt, [python, "-u", "b.py", "a b"], FIRETEE_EXEC_WRAPPER=str(other))
    assert seen == [python, "-u", boot(opt), "b.py", "a b", "from-the-other"]
    assert done.stderr == ""


def test_another_wrapper_runs_also_where_firetee_does_not(opt: Path) -> None:
    other = program(opt / "other", '#!/bin/sh\nexec "$@" from-the-other\n')
    python = str(opt / "bin" / "python3.12")
    seen = run(opt, [python, "b.py"], FIRETEE_EXEC_WRAPPER=str(other), FIRETEE_DISABLED="true")[0]
    assert seen == [python, "b.py", "from-the-other"]


@pytest.mark.parametrize("mode", [None, 0o644], ids=["missing", "not executable"])
def test_another_wrapper_that_cannot_run_is_left_out_with_one_line(mode: int | None, opt: Path) -> None:
    other = opt / "other"
    if mode is not None:
        program(other).chmod(mode)
    python = str(opt / "bin" / "python3.12")
    seen, _, done = run(opt, [python, "b.py"], FIRETEE_EXEC_WRAPPER=str(other))
    assert seen == [python, boot(opt), "b.py"]
    assert done.stderr == f"[firetee] FIRETEE_EXEC_WRAPPER={other} cannot be executed: going on without it\n"


def test_named_as_its_own_follower_it_does_not_run_for_ever(opt: Path) -> None:
    python = str(opt / "bin" / "python3.12")
    assert run(opt, [python, "b.py"], FIRETEE_EXEC_WRAPPER=str(opt / "bin" / "exec-wrapper"))[0] == [
        python,
        boot(opt),
        "b.py",
    ]


def test_the_program_takes_the_place_of_the_shell(opt: Path) -> None:
    """So that signals and the exit code are the program's."""
    python = program(opt / "bin" / "python3", f"#!{sys.executable}\nimport os; print(os.getpid())")
    with subprocess.Popen(
        [str(opt / "bin" / "exec-wrapper"), str(python), "b.py"], stdout=subprocess.PIPE, text=True
    ) as process:
        output, _ = process.communicate()
    assert int(output) == process.pid


@pytest.mark.parametrize("command", [["/missing/python3", "b.py"], ["/missing/program"]])
def test_a_command_that_is_not_there_is_127_as_it_would_be(command: list[str], opt: Path) -> None:
    done = subprocess.run([str(opt / "bin" / "exec-wrapper"), *command], capture_output=True, check=False)
    assert done.returncode == 127


def test_it_is_executable_and_plain_sh() -> None:
    assert SOURCE.stat().st_mode & stat.S_IXUSR
    text = SOURCE.read_text()
    assert text.startswith("#!/bin/sh\n")
    assert "set -e" not in text
    assert text.rstrip().splitlines()[-1].startswith("exec ")
