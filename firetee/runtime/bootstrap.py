"""Does what /var/runtime/bootstrap.py of Lambda's Python images does, for a runtime anywhere: builds `sys.path`,
makes the function's folders site folders, sets PYTHONPATH for children, runs the runtime client's main.

Read off the images: task root first, then the layers' two folders (left out where PYTHONPATH is set), then what the
interpreter brings. EMULATED_OPT stands for `/opt`, which an ordinary user cannot write to. What EMULATED_PACKAGES names
are the site-packages of a project, which its deployment package would have beside the function.
"""

import os
import site
import sys

import awslambdaric.__main__ as awslambdaricmain


def layer_directories() -> "list[str]":
    if "PYTHONPATH" in os.environ:
        return []
    opt = os.environ.get("EMULATED_OPT", "/opt")
    major, minor = sys.version_info[:2]
    return [f"{opt}/python/lib/python{major}.{minor}/site-packages", f"{opt}/python"]


def main() -> None:
    task_root = os.environ["LAMBDA_TASK_ROOT"]
    packages = os.environ.get("EMULATED_PACKAGES")
    directories = [task_root, *([packages] if packages else []), *layer_directories()]
    sys.path[:0] = directories
    for directory in directories:
        site.addsitedir(directory)
    os.environ.setdefault("PYTHONPATH", os.environ["LAMBDA_RUNTIME_DIR"])
    awslambdaricmain.main([task_root, os.environ["_HANDLER"]])


if __name__ == "__main__":
    main()
