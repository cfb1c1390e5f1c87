"""Compiles the layer's modules; run as a program by each Python that the layer is for (`layer.py`), on nothing but it.

Reads from standard input, as JSON, `[modules, plain, folder]`: modules as `[name, source file, path to show]`, the
names of those that a plain start needs, and where to put `<name>.pyc` for each module, and `bundle`, the code of the
plain ones by the name they are imported by. Writes the bundle's name, as `wrapper/__main__.py` looks for it, and the
tag of compiled files.

Left out is what a cold start would read for nothing and keep in memory: docstrings (20 %), and annotations (5 %), which
nothing of ours reads. Assertions go with the docstrings.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import marshal
import sys
from pathlib import Path
from types import CodeType


class _WithoutAnnotations(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        without = ast.Pass() if node.value is None else ast.Assign([node.target], node.value)
        return ast.copy_location(without, node)


def _code(source: str, shown: str) -> CodeType:
    tree: ast.Module = _WithoutAnnotations().visit(ast.parse(Path(source).read_bytes(), shown))
    code: CodeType = compile(ast.fix_missing_locations(tree), shown, "exec", dont_inherit=True, optimize=2)
    return code


def main() -> None:
    modules, plain, folder = json.load(sys.stdin)
    magic = importlib.util.MAGIC_NUMBER
    bundle = {}
    for name, source, shown in modules:
        code = _code(source, shown)
        if name in plain:
            bundle[name.removesuffix(".__init__")] = code
        # PEP 552: "unchecked", so that the source is not even looked at
        header = magic + b"\1\0\0\0" + importlib.util.source_hash(Path(source).read_bytes())
        Path(folder, f"{name}.pyc").write_bytes(header + marshal.dumps(code))
    Path(folder, "bundle").write_bytes(marshal.dumps(bundle))
    tag = sys.implementation.cache_tag
    sys.stdout.write(f"{tag}-{int.from_bytes(magic[:2], 'little')}.bundle {tag}")


if __name__ == "__main__":
    main()
