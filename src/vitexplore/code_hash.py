"""A hash of what code means: a rule carries it, for Snakemake does not see that an imported module changed."""

import ast
import hashlib
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

from vitexplore.errors import InputError

PACKAGE = Path(__file__).resolve().parent
PROGRESS, FIGURES = "vitexplore.progress", "vitexplore.figures"
DRAWING = (FIGURES, "vitexplore.claims")  # their results are figures
SAYS = ("debug", "info", "warning", "error", "exception", "critical", "log")  # a logger's methods
# adding a log line or a block for type checkers imports these; what else is used of them is hashed where it is used
UNHASHED = ("logging", "typing", PROGRESS)


class _Stripper(ast.NodeTransformer):
    """Takes out what changes no result: bare strings (docstrings), ``pass``, logging, progress and blocks of
    TYPE_CHECKING. ``imports`` holds the dotted names that what is left imports, as written.

    Functions of ``progress`` are context managers that yield a function to be told of work done, or pass their first
    argument on. The code is hashed as if it did without them.
    """

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.loggers: set[str] = set()
        self.meters: set[str] = set()  # names from progress
        self.tellers: set[str] = set()  # what the meters around the current line yield

    def visit_Import(self, node: ast.Import) -> ast.Import | None:
        node.names = [alias for alias in node.names if alias.name not in UNHASHED]
        self.imports.update(alias.name for alias in node.names)
        return node if node.names else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        module = "." * node.level + (node.module or "")
        if module == PROGRESS:
            self.meters.update(alias.asname or alias.name for alias in node.names)
        if module in UNHASHED:
            return None
        dot = "" if module.endswith(".") else "."
        self.imports.update([module, *(f"{module}{dot}{alias.name}" for alias in node.names)])
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        match node:
            case ast.Assign([ast.Name(name)], ast.Call(ast.Attribute(ast.Name("logging"), "getLogger"))):
                self.loggers.add(name)
                return None
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        match node.value:
            case ast.Constant(str()):
                return None
            case ast.Call(ast.Attribute(ast.Name(name), method)) if name in self.loggers and method in SAYS:
                return None
            case ast.Call(ast.Name(name)) if name in self.tellers:
                return None
        return self.generic_visit(node)

    def visit_Pass(self, _node: ast.Pass) -> None:
        return None

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        match node.test:
            case ast.Name("TYPE_CHECKING") | ast.Attribute(ast.Name("typing"), "TYPE_CHECKING"):
                node.body = []
                self.generic_visit(node)
                return node.orelse
        return self.generic_visit(node)

    def visit_With(self, node: ast.With) -> ast.AST | list[ast.stmt]:
        meters = [item for item in node.items if self._is_meter(item.context_expr)]
        around = self.tellers
        self.tellers = around | {item.optional_vars.id for item in meters if isinstance(item.optional_vars, ast.Name)}
        node.items = [item for item in node.items if item not in meters]
        self.generic_visit(node)
        self.tellers = around
        return node if node.items else node.body

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if self._is_meter(node) and node.args:
            return self.visit(node.args[0])
        return self.generic_visit(node)

    def _is_meter(self, node: ast.expr) -> bool:
        match node:
            case ast.Call(ast.Name(name)):
                return name in self.meters
        return False


@cache  # a job that runs for days is of the code that it started with, whatever is edited meanwhile
def _meaning(file: Path) -> tuple[str, frozenset[str]]:
    """The hash of ``file`` without what changes no result, and the dotted names that it imports, as written."""
    stripper = _Stripper()
    tree = stripper.visit(ast.parse(file.read_text()))
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), frozenset(stripper.imports)


def _file(name: str) -> Path | None:
    """The file of the package or module ``name``; None where that is the name of something in a module."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


@cache
def _imported(file: Path, package: str) -> tuple[str, ...]:
    """What ``file``, a module of ``package`` ("" outside of vitexplore), imports of vitexplore."""
    written = [name for name in _meaning(file)[1] if package or not name.startswith(".")]
    names = (resolve_name(name, package) for name in written)
    return tuple(name for name in names if name.split(".")[0] == PACKAGE.name)


def _start(module: str | Path) -> tuple[str, Path]:
    """Dotted name and file of ``module``; a file outside of the package goes by its own name."""
    if isinstance(module, str):
        name = f"{PACKAGE.name}.{module}"
        file = _file(name)
    else:
        file = module.resolve()
        inside = file.is_relative_to(PACKAGE)
        name = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) if inside else file.name
    if file is None or not file.is_file():
        raise InputError(f"no code {module}; name a module of {PACKAGE.name} without that prefix, or a file's path")
    return name.removesuffix(".__init__"), file


def _modules(module: str | Path) -> dict[str, Path]:
    """``code_files(module)`` by names that are the same on each machine."""
    start, file = _start(module)
    found = {start: file}
    inside = start.split(".")[0] == PACKAGE.name
    draws = not inside or start.startswith(DRAWING)
    queue = [start] if inside else [*_imported(file, "")]
    seen: set[str] = set()
    while queue:
        name = queue.pop()
        package = name.rpartition(".")[0]
        if not name or name in seen or PROGRESS in (name, package) or (FIGURES in (name, package) and not draws):
            continue
        seen.add(name)
        queue.append(package)  # Python runs the packages around a module too
        if file := _file(name):
            found[name] = file
            queue += _imported(file, name if file.name == "__init__.py" else package)
    return found


def code_files(module: str | Path) -> list[Path]:
    """The file of ``module`` (a dotted name inside the package, such as ``experiments.locality``, or the path of any
    file) and all that it imports of this package, however far, in functions too; sorted.

    ``progress`` is left out, and ``figures`` too unless ``module`` is of figures/, claims/ or outside of the package:
    nothing else is made of figures. Raises InputError where there is no such module."""
    return sorted(_modules(module).values())


def code_hash(module: str | Path) -> str:
    """16 hexadecimal digits that change with the meaning of ``code_files(module)``, that is with their syntax trees
    without docstrings, logging, progress and blocks of TYPE_CHECKING. A file counts as it is when it is first read.
    Raises InputError where there is no such module."""
    digest = hashlib.sha256()
    for name, file in sorted(_modules(module).items()):
        digest.update(f"{name} {_meaning(file)[0]}\n".encode())
    return digest.hexdigest()[:16]
