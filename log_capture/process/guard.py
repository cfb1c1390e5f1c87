"""Whose exception is it? Ours must never reach the function, the function's own must never stop at us.

A signal handler of the function's may raise anywhere, in the middle of our code too (a `signal.alarm` time limit is
the usual case). Such an exception must go on its way as if we were not there.
"""

from __future__ import annotations

import os

_HERE = __file__.rpartition("/log_capture/")[0]
_OURS = (_HERE + "/log_capture/", _HERE + "/wrapper/")
_STDLIB = os.path.dirname(os.__file__) + "/"


def is_ours(error: BaseException) -> bool:
    """Whether `error`, just caught by one of our functions, comes from our code and not from code that interrupted it.

    Told by where it was raised: in our files, or in the standard library's that they call. Any thread.
    """
    trace = error.__traceback__
    if trace is None:
        return True
    while trace.tb_next is not None:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename
    return file.startswith(_OURS) or (file.startswith((_STDLIB, "<frozen ")) and "site-packages" not in file)
