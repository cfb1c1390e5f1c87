"""Run the original program as the interpreter would have, with the same `sys.argv`, `sys.path` and `__main__`.

As the interpreter does in `pymain_run_python` (CPython, Modules/main.c).
"""

from __future__ import annotations

import os
import sys
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType
    from typing import Any


def prepare(arguments: list[str], boot: str) -> Callable[[], object]:
    """What runs `PROGRAM ...`, `-m MODULE ...`, `-c CODE ...` or `-` when it is called, without a Python frame of ours.

    `boot` is the path of our own script, which nothing shall remember. Raises `SystemExit` if there is no such program.
    """
    if boot in sys.orig_argv:
        sys.orig_argv.remove(boot)
    sys.path_importer_cache.pop(boot, None)
    # How deep the program can recurse is up to it alone. Up to Python 3.11 calling `exec` counts as well as our frame.
    by_module = arguments[0].startswith("-m")
    sys.setrecursionlimit(sys.getrecursionlimit() + (1 if by_module or sys.version_info >= (3, 12) else 2))
    own = sys.modules["__main__"].__dict__  # has what this interpreter gives a script: not the same in all
    main = type(sys)("__main__")
    namespace = main.__dict__
    importer = sys.modules["_frozen_importlib"].BuiltinImporter
    namespace.update(__builtins__=sys.modules["builtins"], __loader__=importer)
    if "__annotations__" in own:  # up to Python 3.13
        namespace["__annotations__"] = {}
    cached = {"__cached__": None} if "__cached__" in own else {}  # up to Python 3.14
    sys.modules["__main__"] = main
    first = arguments[0]
    if first == "-c":
        _begin(["-c", *arguments[2:]], "")
        return partial(exec, _compiled(arguments[1] + "\n", "<string>"), namespace)
    if first == "-":
        _begin(arguments, "")
        namespace.update(__file__="<stdin>", **cached)
        return partial(exec, _compiled(sys.stdin.read(), "<stdin>"), namespace)
    if first.startswith("-m"):
        module, rest = (first[2:], arguments[1:]) if first != "-m" else (arguments[1], arguments[2:])
        _begin(["-m", *rest], os.getcwd())
        return _module(module, alter_argv=True)
    if os.path.isdir(first) or first.endswith((".zip", ".pyz")):
        _begin(arguments, os.path.join(os.getcwd(), first), even_if_safe=True)
        return _module("__main__", alter_argv=False)
    namespace.update(cached)
    return partial(exec, _load(first, arguments, namespace), namespace)


def hide_frames(boot: str) -> None:
    """Have the interpreter show the exception that is about to end it without the frames of the script `boot`."""
    show = sys.excepthook

    def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.excepthook = show
        while trace is not None and trace.tb_frame.f_code.co_filename == boot:
            trace = trace.tb_next
        sys.last_traceback = trace
        show(kind, error.with_traceback(trace), trace)

    sys.excepthook = excepthook


def _begin(argv: list[str], path: str, *, even_if_safe: bool = False) -> None:
    sys.argv[:] = argv
    if even_if_safe or (not getattr(sys.flags, "safe_path", False) and not sys.flags.isolated):
        sys.path.insert(0, path)


def _module(name: str, *, alter_argv: bool) -> Callable[[], object]:
    import runpy

    return partial(runpy._run_module_as_main, name, alter_argv)  # type: ignore[attr-defined]


def _load(path: str, arguments: list[str], namespace: dict[str, Any]) -> CodeType:
    path = os.path.join(os.getcwd(), path)
    loaders = sys.modules["_frozen_importlib_external"]
    try:
        if path.endswith(".pyc"):
            loader = loaders.SourcelessFileLoader("__main__", path)
            code: CodeType = loader.get_code("__main__")
        else:
            loader = loaders.SourceFileLoader("__main__", path)
            with open(path, "rb") as file:
                code = _compiled(file.read(), path)
    except OSError as error:
        sys.stderr.write(f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}\n")
        raise SystemExit(2) from None
    _begin(arguments, os.path.dirname(os.path.realpath(path)))
    sys.path_importer_cache[path] = None  # as the interpreter, which looks for a zip file
    namespace.update(__file__=path, __loader__=loader)
    return code


def _compiled(source: str | bytes, name: str) -> CodeType:
    try:
        code: CodeType = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        sys.excepthook(type(error), error.with_traceback(None), None)
        raise SystemExit(1) from None
    return code
