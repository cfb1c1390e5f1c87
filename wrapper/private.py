"""Our modules, out of the function's sight: found while we boot, gone before its own code is imported."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

_OURS = ("wrapper", "log_capture")
#: What our modules import and the runtime does not, by names that a function's own modules may have. They are C modules
#: (and `struct`, a few lines over one), so the function's own import of the standard library's makes another, at no
#: cost to speak of. Not among them: `_posixsubprocess`, whose `fork_exec` is wrapped, and other names that begin with
#: an underscore, for `_ssl` wants the very `_socket` that made the connection.
_BROUGHT = ("binascii", "errno", "faulthandler", "fcntl", "mmap", "resource", "select", "struct", "zlib")


def load_function_wrapper(folder: str) -> Any:
    """wrapt's `FunctionWrapper`, from its C module alone; ours where there is none that fits.

    wrapt's Python package is not imported: it would cost 19 ms (`inspect`) in 1.17 and 80 ms (asyncio) in 2.x, and
    would be in `sys.modules` where the function may want another version. 1.17.3 is the last one whose C module
    stands alone.
    """
    try:
        return _load_wrapt(folder).FunctionWrapper
    except (ImportError, AttributeError, LookupError, SystemError, TypeError):  # a CPython that wrapt or we do not know
        from .wrapping import FunctionWrapper

        return FunctionWrapper


def _load_wrapt(folder: str) -> Any:
    from _imp import create_dynamic, exec_dynamic, extension_suffixes

    path = f"{folder}/_wrappers{extension_suffixes()[0]}"
    spec = type(__spec__)("_wrappers", None, origin=path)
    before = sys.modules.get("_wrappers")
    module = create_dynamic(spec)
    exec_dynamic(module)
    if before is None:
        sys.modules.pop("_wrappers", None)
    else:
        sys.modules["_wrappers"] = before
    return module


def hide(folder: str, known: Collection[str]) -> None:
    """Take everything of ours out of `sys.modules`, and what the import system remembers about our folder.

    `known`: what had been imported before us.
    """
    for name in _BROUGHT:
        if name not in known:
            sys.modules.pop(name, None)
    for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
        del sys.modules[name]
    for path in [path for path in sys.path_importer_cache if path.startswith(folder)]:
        del sys.path_importer_cache[path]
