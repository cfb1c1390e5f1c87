"""`make suites`: the tests of other libraries give the same results in a process started through the wrapper.

Each suite runs three times: bare, bare again (a test that differs is flaky, and said to be), and through the wrapper.
The tests come from the sdists that requirements/suites.txt pins. Exit code 1 if a test that is not flaky differs, or
if a suite has no result; the others are run all the same.

Left out: loguru, rich, tqdm and wurlitzer, whose sdists hold no tests. CPython's own are run by
tests/end_to_end/test_cpython_tests.py.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import venv
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import click

from firetee import layer
from tests.fakes.firehose import ACCESS_KEY, SECRET_KEY, TOKEN, Firehose

ROOT = Path(__file__).parents[2]
PINS = ROOT / "requirements" / "suites.txt"
CACHE = ROOT / ".cache" / "suites"
SUITE_S = 1800
"""The longest that one run of a suite may take, in seconds. A choice."""


class Suite(NamedTuple):
    """Which files of a library's sdist are run, and with which of pytest's options.

    Where the sdist's package would hide the installed one, which has its compiled modules, only the files at its top
    and what is below `only` are unpacked.
    """

    paths: tuple[str, ...]
    options: tuple[str, ...] = ()
    only: str = ""


#: Without the plugin that structlog's tests need: the others take its warnings for errors.
_ALONE = ("-p", "no:asyncio")
#: With `-s` pytest leaves the streams alone: what a test sees of them is what the function would.
SUITES: dict[str, Suite] = {
    "structlog": Suite(("tests",), ("-s",)),
    "click": Suite(("tests",), _ALONE),
    "pytest": Suite(("testing/test_capture.py", "testing/test_faulthandler.py", "testing/logging"), _ALONE),
    "anyio": Suite(("tests/test_subprocesses.py", "tests/test_signals.py", "tests/streams"), _ALONE),
    "pexpect": Suite(("tests",), _ALONE),
    # Its own configuration wants other plugins, and no report.
    "psutil": Suite(
        ("tests/test_process.py", "tests/test_misc.py"), (*_ALONE, "-c", "/dev/null", "--rootdir=."), only="tests"
    ),
    "uvloop": Suite(
        tuple(f"tests/test_{name}.py" for name in ("process", "pipes", "signals", "executors")), _ALONE, only="tests"
    ),
    "gevent": Suite(
        tuple(f"src/gevent/tests/test__{name}.py" for name in ("os", "signal", "subprocess", "threadpool")),
        _ALONE,
        only="src/gevent/tests",
    ),
    "joblib": Suite(
        ("joblib/test/test_logger.py", "joblib/test/test_memory.py", "joblib/test/test_testing.py"),
        (*_ALONE, "-k", "not jupyter"),
        only="joblib/test",
    ),
}


#: Tests that differ for a reason that docs/capture.md gives, under "Child processes".
EXPECTED = (
    # It counts descriptors while a child runs; that one's stderr is a pipe of ours until it ends.
    ".gevent.tests.test__subprocess.TestPopen::test_leak",
)


def outcomes(python: Path, suite: Suite, source: Path, env: Mapping[str, str], opt: Path | None) -> dict[str, str]:
    """What became of each test; what firetee itself says is shown. Raises `ClickException` if there is no report."""
    with tempfile.TemporaryDirectory(prefix="ft") as scratch:
        report = Path(scratch, "report.xml")
        options = ["-p", "no:cacheprovider", "-p", "no:randomly", f"--junit-xml={report}", "-q", *suite.options]
        command = [str(python), "-m", "pytest", *options, *suite.paths]
        if opt is not None:
            command.insert(0, str(opt / "bin" / "exec-wrapper"))
        settings = {**env, "TMPDIR": scratch, "HOME": scratch, "FIRETEE_JOURNAL_DIR": scratch}
        try:
            done = subprocess.run(
                command,
                cwd=source,
                env=settings,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=SUITE_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            how = "bare" if opt is None else "through the wrapper"
            raise click.ClickException(f"{source.name}: not done after {SUITE_S} s {how}") from error
        said = (done.stdout + done.stderr).decode(errors="replace")
        if not report.exists() or done.returncode not in (0, 1):  # all passed, some failed: else it did not run
            raise click.ClickException(f"{source.name}: no report\n{said[-2000:]}")
        if re.search(r"^\[firetee\]", done.stderr.decode(errors="replace"), re.MULTILINE):
            click.echo(f"{source.name}: {said[said.index('[firetee]') :][:300]}", err=True)
        return read(report)


def read(report: Path) -> dict[str, str]:
    """Each test's outcome from a JUnit report: passed, failure, error or skipped."""
    found = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        bad = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{case.get('classname')}::{case.get('name')}"] = bad[0] if bad else "passed"
    return found


def differences(bare: dict[str, str], again: dict[str, str], teed: dict[str, str]) -> tuple[set[str], set[str]]:
    """Tests that differ through the wrapper, and those that differ bare already."""
    flaky = {name for name in bare | again if bare.get(name) != again.get(name)}
    differing = {name for name in bare | teed if bare.get(name) != teed.get(name)} - flaky
    return {name for name in differing if not name.endswith(EXPECTED)}, flaky


def prepared() -> Path:
    """The Python of an environment with what the suites need; made once for these pins."""
    home, stamp = CACHE / "venv", CACHE / "pins"
    python = home / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != PINS.read_text():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", PINS], check=True)
        stamp.write_text(PINS.read_text())
    return python


def source_of(python: Path, name: str) -> Path:
    """The unpacked sdist of a library, in the version that is pinned."""
    pinned = re.search(rf"^{name}==(\S+)", PINS.read_text(), re.MULTILINE)
    assert pinned
    folder = CACHE / f"{name}-{pinned[1]}"
    if not folder.exists():
        where = ["--no-deps", "--no-binary", ":all:", "--dest", str(CACHE)]
        subprocess.run([python, "-m", "pip", "download", "--quiet", *where, f"{name}=={pinned[1]}"], check=True)
        with tarfile.open(CACHE / f"{name}-{pinned[1]}.tar.gz") as archive:
            wanted = SUITES[name].only
            below = f"{folder.name}/{wanted}/"
            archive.extractall(
                CACHE,
                [
                    member
                    for member in archive.getmembers()
                    if not wanted or member.name.startswith(below) or (member.name.count("/") == 1 and member.isfile())
                ],
            )
    return folder


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(SUITES)))
@click.option("--capture", type=click.Choice(["python", "fd"]), default="python", help="FIRETEE_CAPTURE.")
def main(names: tuple[str, ...], capture: str) -> None:
    for number in (
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
    ):  # ignored in the background of a shell: tests send them
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    CACHE.mkdir(parents=True, exist_ok=True)
    python = prepared()
    harmed = False
    with tempfile.TemporaryDirectory(prefix="ft") as folder, Firehose() as firehose:
        opt = Path(folder, "opt")
        layer.unpack(layer.build(Path(folder, "layer.zip")), opt)
        env = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": TOKEN,
            "AWS_ENDPOINT_URL_FIREHOSE": firehose.url,
            "FIRETEE_STREAM": "logs",
            "FIRETEE_CAPTURE": capture,
        }
        for name in names or SUITES:
            source = source_of(python, name)
            try:
                bare, again, teed = (outcomes(python, SUITES[name], source, env, each) for each in (None, None, opt))
            except click.ClickException as error:  # the others are run all the same
                error.show()
                harmed = True
                continue
            differing, flaky = differences(bare, again, teed)
            passed = sum(outcome == "passed" for outcome in bare.values())
            click.echo(
                f"{source.name:<20} {len(bare):>5} tests, {passed:>5} pass bare, {len(flaky):>3} flaky, "
                f"{len(differing):>3} differ"
            )
            for test in sorted(differing):
                click.echo(f"  {test}: {bare.get(test, 'absent')} bare, {teed.get(test, 'absent')} through the wrapper")
            harmed = harmed or bool(differing)
    sys.exit(harmed)


if __name__ == "__main__":
    main()
