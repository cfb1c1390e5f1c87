"""Compiles the layer's modules; run as a program by each Python that the layer is for (`layer.py`), on nothing but it.

Reads from standard input, as JSON, `[bundled, single, folder]`: modules as `[name, source file, path to show]`, and
where to put `bundle`, the code of the bundled ones by name, and `<name>.pyc` for each single one. Writes the bundle's
name, as `wrapper/__main__.py` looks for it, and the tag of compiled files.

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
    bundled, single, folder = json.load(sys.stdin)
    magic = importlib.util.MAGIC_NUMBER
    code = {name: _code(source, shown) for name, source, shown in bundled}
    Path(folder, "bundle").write_bytes(marshal.dumps(code))
    for name, source, shown in single:
        # PEP 552: "unchecked", so that the source is not even looked at
        header = magic + b"\1\0\0\0" + importlib.util.source_hash(Path(source).read_bytes())
        Path(folder, f"{name}.pyc").write_bytes(header + marshal.dumps(_code(source, shown)))
    tag = sys.implementation.cache_tag
    sys.stdout.write(f"{tag}-{int.from_bytes(magic[:2], 'little')}.bundle {tag}")


if __name__ == "__main__":
    main()
