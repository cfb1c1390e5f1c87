"""Runs `PROGRAM ...`, `-m MODULE ...` or `-c CODE ...`, the Lambda runtime, with log capture in front of it.

Started by `bin/exec-wrapper` in place of the program. If anything goes wrong before the program runs, this process
becomes the interpreter that would have run without us.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

HERE = os.path.dirname(os.path.realpath(__file__))
PAYLOAD = os.path.dirname(HERE)


def start() -> tuple[Callable[[], object], Callable[[str], object]]:
    """The lifecycle of a start, in order; returns the program to run, and what hides us from an uncaught error's."""
    arguments = sys.argv[1:]
    if sys.path[:1] == [HERE]:
        del sys.path[0]  # put there for this script
    sys.path.insert(0, PAYLOAD)
    try:
        from wrapper.boot import Boot
        from wrapper.private import hide
        from wrapper.program import hide_frames, prepare

        boot = Boot(PAYLOAD)
        if boot.wanted:
            boot.start_capture()  # first, so that nothing is missed
            boot.hook_runtime()  # before the runtime client is imported
            boot.listen_for_the_end()  # before the registration: nobody else would answer its SIGTERM
            boot.register_extension()  # before the runtime asks for its first event: later is refused
    finally:
        sys.path.remove(PAYLOAD)
    hide(PAYLOAD)  # after the last of our imports, before the first of the program's
    return prepare(arguments, __file__), hide_frames


def run_bare(error: Exception) -> NoReturn:
    """Become the interpreter as it was called, without our script."""
    os.write(2, f"[firetee] cannot start ({type(error).__name__}: {error}): the function runs without it\n".encode())
    os.execv(sys.executable, [argument for argument in sys.orig_argv if argument != __file__])


try:
    program, hide_frames = start()
except Exception as error:  # noqa: BLE001 - whatever it is, the function must run
    run_bare(error)
try:
    program()  # from this line only: the one frame of ours below the program's
except SystemExit:
    raise
except BaseException:
    hide_frames(__file__)
    raise  # for the interpreter to show, and to exit as it does
