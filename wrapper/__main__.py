"""Runs `PROGRAM ...`, `-m MODULE ...` or `-c CODE ...`, the Lambda runtime, with log capture in front of it.

Started by `bin/exec-wrapper` in place of the program. If anything goes wrong before the program runs, this process
becomes the interpreter that would have run without us.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, ModuleType
    from typing import Any, NoReturn

# This file must be read by older Pythons, too, if only to leave them alone: annotations are text, and whatever can fail
# happens in `start`.


class Payload:
    """While it is entered our packages can be imported: from the layer's bundle of modules compiled for this CPython.

    To find, open and read each of 40 files takes 4 ms longer. What the bundle does not have, or everything if there is
    none that can be read, is imported from our folder.
    """

    def __init__(self, folder: "str") -> None:
        self._folder = folder

    def __enter__(self) -> None:
        from marshal import loads

        try:
            from _imp import _fix_co_filename as fix  # type: ignore[attr-defined]  # not in typeshed
        except ImportError:  # then tracebacks show where the layer was built
            fix = None
        self._fix_filename = fix
        magic = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
        bundle = f"{self._folder}/{sys.implementation.cache_tag}-{int.from_bytes(magic[:2], 'little')}.bundle"
        self._code: dict[str, CodeType] = {}
        try:
            from mmap import ACCESS_READ, mmap

            with open(bundle, "rb", 0) as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                self._code.update(loads(data))
        except (ImportError, OSError, EOFError, TypeError, ValueError):
            pass  # then from our folder
        sys.meta_path.insert(0, self)
        sys.path.insert(0, self._folder)

    def __exit__(self, *_: "object") -> None:
        sys.path.remove(self._folder)
        sys.meta_path.remove(self)
        self._code.clear()  # every module of ours refers to this

    def find_spec(self, name: "str", *_: "object") -> "Any":
        """Called by the import system, as are the next two."""
        if name not in self._code:
            return None
        spec = sys.modules["_frozen_importlib"].ModuleSpec(name, self)
        if self._path(name).endswith("/__init__.py"):
            spec.submodule_search_locations = [self._path(name).removesuffix("/__init__.py")]
        return spec

    def _path(self, name: "str") -> "str":
        """The source of a module in the bundle, as it was unpacked; the bundle has it as it is in Lambda."""
        path = name.replace(".", "/")
        package = self._code[name].co_filename.endswith(f"{path}/__init__.py")
        return f"{self._folder}/{path}{'/__init__' if package else ''}.py"

    def create_module(self, spec: "Any") -> None:
        """Like any other."""

    def exec_module(self, module: "ModuleType") -> None:
        """Tracebacks show the path of the source, wherever the layer is unpacked."""
        module.__file__ = self._path(module.__name__)
        code = self._code.pop(module.__name__)
        if self._fix_filename is not None:
            self._fix_filename(code, module.__file__)
        exec(code, module.__dict__)


def start() -> "tuple[Callable[[], object], Callable[[str], object]]":
    """The lifecycle of a start, in order; returns the program to run, and what hides us from an uncaught error's."""
    if sys.version_info < (3, 10):  # noqa: UP036 - whichever Python the function has
        raise RuntimeError("it needs Python 3.10 or later, and this is " + sys.version.split()[0])
    arguments = sys.argv[1:]
    here = os.path.dirname(os.path.realpath(__file__))
    payload = os.path.dirname(here)
    if sys.path[:1] == [here]:
        del sys.path[0]  # put there for this script
    known = frozenset(sys.modules)
    with Payload(payload):
        from wrapper.boot import Boot
        from wrapper.private import hide
        from wrapper.program import hide_frames, prepare

        boot = Boot(payload)
        if boot.wanted:
            boot.start_capture()  # first, so that nothing is missed
            boot.hook_runtime()  # before the runtime client is imported
            boot.listen_for_the_end()  # before the registration: nobody else would answer its SIGTERM
            boot.register_extension()  # before the runtime asks for its first event: later is refused
    hide(payload, known)  # after the last of our imports, before the first of the program's
    return prepare(arguments, __file__), hide_frames


def run_bare(error: "Exception") -> "NoReturn":
    """Become the interpreter as it was called, without our script."""
    why = str(error) if type(error) is RuntimeError else type(error).__name__ + ": " + str(error)
    os.write(2, ("[firetee] cannot start (" + why + "): the function runs without it\n").encode("utf-8", "replace"))
    with open("/proc/self/cmdline", "rb") as file:  # `sys.orig_argv` came with Python 3.10
        command = file.read().split(b"\0")[:-1]
    os.execv(sys.executable, [argument for argument in command if argument != os.fsencode(__file__)])


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
