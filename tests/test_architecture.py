"""The shape of the house: its layers, its sizes, and what stands nowhere in it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from tests.helpers.project import PACKAGES, ROOT, project_files, sources

LONGEST_FILE = 400
LONGEST_FUNCTION = 70
DEEPEST_NESTING = 3
OUTER_SHELLS = {"gateway/proxy/client.py", "gateway/server/process.py"}  # where the unexpected ends
STARTER = "gateway/proxy/tasks.py"  # the only place that starts a task
LEGACY = "gateway/demo/site/"  # an ordinary Django site: its settings are lists, as Django wants them
MUTABLE_TYPES = {"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict", "ContextVar"}
MUTABLE_NODES = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
CHANGING = {"append", "extend", "insert", "remove", "sort", "reverse", "add", "discard", "update", "setdefault", "pop",
            "popitem", "clear"}
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

# None of these matches itself.
INDEX_HOSTS = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|crates\.io")
MACHINES = re.compile(r"(?<![\w.])/(?:home|Users|root|work)/\w|[A-Z]:\\\\?Users")
UNFINISHED = re.compile(r"\b(?:T[O]DO|F[I]XME|X{3})\b")


@cache
def modules() -> Mapping[str, ast.Module]:
    """Return every module of the packages by its place."""
    return MappingProxyType({str(file.relative_to(ROOT)): ast.parse(file.read_text("utf-8")) for file in sources()})


def found(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of these kinds with the place of its module."""
    everything = ((place, node) for place, module in modules().items() for node in ast.walk(module))
    return ((place, node) for place, node in everything if isinstance(node, kinds))


def test_layers_hold() -> None:
    """Every contract of import-linter is kept."""
    # As a process of its own: it would take the other tests' loggers away.
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout


def test_modules_are_found() -> None:
    """The tests below look at something."""
    assert len(modules()) > 100
    assert {place.partition("/")[0] for place in modules()} == set(PACKAGES)


def test_files_open_with_what_they_own() -> None:
    """A file begins with a docstring, some words at least."""
    silent = [place for place, module in modules().items() if len((ast.get_docstring(module) or "").split()) < 4]
    assert silent == []


def test_files_are_short() -> None:
    """No file is longer than a sitting's reading."""
    lengths = {str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines()) for file in sources()}
    assert {place: length for place, length in lengths.items() if length > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    """No function is longer than two screens."""
    too_long = [(place, node.name) for place, node in found(*FUNCTIONS)
                if node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION]
    assert too_long == []


def test_functions_are_flat() -> None:
    """No function is nested deeper than three blocks."""
    too_deep = [(place, node.name) for place, node in found(*FUNCTIONS) if depth(node) > DEEPEST_NESTING]
    assert too_deep == []


def depth(node: ast.AST, so_far: int = 0) -> int:
    """Return how deep the blocks of a function are nested; an elif is as deep as its if."""
    deepest = so_far
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, depth(child, so_far + (isinstance(child, BLOCKS) and not is_elif)))
    return deepest


def test_modules_hold_no_state() -> None:
    """At the level of a module or a class there are constants and tables, no state: that has an owner and a close."""
    states = [(place, ast.unparse(statement)) for place, node in found(ast.Module, ast.ClassDef)
              for statement in node.body if is_state(statement) and not place.startswith(LEGACY)]
    assert states == []
    assert [place for place, _ in found(ast.Global)] == []


def is_state(node: ast.stmt) -> bool:
    """Say whether a statement binds something that can be changed to a name that is not a constant's."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return holds_mutable(value) and not CONSTANT.fullmatch(name) and not name.startswith("__")
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
            return holds_mutable(value) and not CONSTANT.fullmatch(name) and outermost(annotation) in MUTABLE_TYPES
    return False


def outermost(annotation: ast.expr) -> str:
    """Return the name of a type without its parameters and its module: `dict` for `dict[str, int]`."""
    return ast.unparse(annotation).partition("[")[0].rpartition(".")[2]


def holds_mutable(value: ast.expr) -> bool:
    match value:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name in MUTABLE_TYPES
        case ast.Tuple(elts=elements):
            return any(holds_mutable(element) for element in elements)
    return isinstance(value, MUTABLE_NODES)


def test_constants_stay_what_they_are() -> None:
    """Nobody changes a table that is named as a constant."""
    changes = [(place, ast.unparse(node)) for place, node in found(ast.Subscript, ast.Call) if is_change(node)]
    assert changes == []


def is_change(node: ast.AST) -> bool:
    match node:
        case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()):
            return is_constant(owner)
        case ast.Call(func=ast.Attribute(value=owner, attr=name)):
            return name in CHANGING and is_constant(owner)
    return False


def is_constant(owner: ast.expr) -> bool:
    return bool(CONSTANT.fullmatch(ast.unparse(owner).rpartition(".")[2]))


def test_nothing_is_caught_blindly() -> None:
    """Only the two outer shells catch what they do not know."""
    blind = {place for place, node in found(ast.ExceptHandler)
             if node.type is None or re.search(r"\b(?:Base)?Exception\b", ast.unparse(node.type))}
    assert blind == OUTER_SHELLS


def test_tasks_are_owned() -> None:
    """A task belongs to a TaskGroup or to the gateway's own Tasks; a bare one would be lost with its exception."""
    bare = [(place, ast.unparse(node)) for place, node in found(ast.Call)
            if re.search(r"(?:^asyncio|loop(?:\(\))?)\.(?:create_task|ensure_future)$", ast.unparse(node.func))]
    assert {place for place, _ in bare} == {STARTER}, bare


def test_nothing_is_said_of_indexes_machines_or_unfinished_work() -> None:
    """No file names a package index, a folder of somebody's machine, or work that is not done."""
    said = [(str(file.relative_to(ROOT)), word)
            for file in filter(Path.is_file, project_files())
            for what in (INDEX_HOSTS, MACHINES, UNFINISHED)
            for word in what.findall(file.read_text("utf-8", errors="replace"))]
    assert said == []


def test_links_stay_inside() -> None:
    """The one link of the project leads from the package to the configuration."""
    links = {str(file.relative_to(ROOT)): str(file.readlink()) for file in project_files() if file.is_symlink()}
    assert links == {"gateway/config": "../config"}


def test_the_eyes_of_these_tests() -> None:
    """What these tests look for is found where it is."""
    assert depth(ast.parse("if a:\n for b in c:\n  with d:\n   try:\n    e\n   finally:\n    g")) == 4
    assert depth(ast.parse("if a:\n b\nelif c:\n d\nelif e:\n f")) == 1
    for text in ("seen = {}", "seen: dict[str, int] = {}", "seen = set()", "seen = module.deque()", "seen = ([],)"):
        assert is_state(ast.parse(text).body[0]), text
    for text in ("TABLE = {}", "_TABLE: dict[str, int] = {}", "choices: Choices = {}", "seen = frozenset()", "a = 1"):
        assert not is_state(ast.parse(text).body[0]), text
    for text in ("TABLE[1] = 2", "del TABLE[1]", "TABLE.update(x)", "module.TABLE.append(x)"):
        assert any(map(is_change, ast.walk(ast.parse(text)))), text
    for text in ("table[1] = 2", "x = TABLE[1]", "TABLE.get(x)", "self._table.pop(x)"):
        assert not any(map(is_change, ast.walk(ast.parse(text)))), text
    assert MACHINES.search("see /" + "home/me/project")
    assert INDEX_HOSTS.search("https://pypi" + ".org/simple")
    assert UNFINISHED.search("# TO" + "DO: later")
