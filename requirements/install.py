"""`python requirements/install.py demo`: installs what `demo.txt` beside it locks, and says how far it has got.

Run by the Makefile with the Python of `.venv`, before there is anything but the standard library.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

#: Seconds between two lines of progress where there is no terminal. A choice: a log shows that it goes on.
EVERY_S = 5.0
LOCKED = re.compile(r"^[a-z0-9.-]+==", re.MULTILINE)
BEGUN = re.compile(r"^(?:Collecting|Processing|Requirement already satisfied:) (?:\S*/)?([\w.-]+)")


def main(name: str) -> int:
    """Exits with pip's exit status, after its words if it failed."""
    lock = Path(__file__).with_name(f"{name}.txt")
    total = len({line.partition("=")[0] for line in LOCKED.findall(lock.read_text())})
    # The lock is complete, so nothing is to be resolved; what is imported is compiled then, the rest never.
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar=off"]
    command += ["--no-deps", "--no-compile", "--require-hashes", f"--requirement={lock}"]
    said: list[str] = []
    count, shown_at, begun = 0, 0.0, time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            said.append(line)
            found = BEGUN.match(line)
            count += found is not None
            package = found[1] if found else "writing the files" if line.startswith("Installing") else ""
            if package and (sys.stdout.isatty() or time.monotonic() - shown_at > EVERY_S):
                shown_at = time.monotonic()
                _show(f"  {min(count, total)} of {total} packages: {package}")
    if pip.returncode != 0:
        sys.stdout.write("\n" + "".join(said))
    else:
        _show(f"  {count} packages in {time.monotonic() - begun:.0f} s")
    if sys.stdout.isatty():
        sys.stdout.write("\n")
    return pip.returncode


def _show(text: str) -> None:
    """On a terminal in the place of the last one, else as a line of its own."""
    sys.stdout.write(f"\r\033[K{text}" if sys.stdout.isatty() else f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
