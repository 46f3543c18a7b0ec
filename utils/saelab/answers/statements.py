"""Which names a piece of code binds and which it takes from its module: read from the text, nothing is run."""

import ast
import contextlib
import symtable
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

STATEMENTS = 5_000  # in one cell
NONE: frozenset[str] = frozenset()  # one for all: most sets of names are empty
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
COMPREHENSIONS = ("listcomp", "setcomp", "dictcomp", "genexpr")
ONLY_LOOK = frozenset(
    ("print", "display", "check", "hint", "predict", "help", "repr", "len", "type", "dir", "isinstance")
)


@dataclass(frozen=True)
class Statement:
    """One top-level statement: its text, its place, and the names that decide whether an answer needs it."""

    line: int  # of its first line, from 1
    text: str
    kind: str  # definition, import, alias (`sum = torch.sum`), main, check (calls check or hint), or other
    binds: frozenset[str] = NONE  # "*" stands for a star import
    changes: frozenset[str] = NONE  # names with an item or attribute set, or changed in place by += and the like
    uses: frozenset[str] = NONE  # names read from the module, inside functions too
    modules: frozenset[str] = NONE  # top-level packages it imports
    gives: frozenset[str] = NONE  # names that it binds as an answer would: by `def`, `class` or plain assignment
    defines: frozenset[str] = NONE  # those of them that are surely functions: by `def`, `class` or `lambda`
    unwritten: frozenset[str] = NONE  # names for which a starter's `raise NotImplementedError("name")` is left
    now: frozenset[str] = NONE  # those of `uses` that it reads when it runs, not when what it defines is called
    wraps: frozenset[str] = NONE  # bound to something made of what they were: `f = cache(f)`, not `f = f(x)`
    touches: frozenset[str] = NONE  # names whose methods it calls or which it gives to a function, for the effect
    effects: frozenset[str] = NONE  # names outside that are changed when what it defines is called


@dataclass
class Digest:
    """A cell's statements, or the reason why Python can't read it."""

    statements: list[Statement] = field(default_factory=list)
    problem: str = ""

    @cached_property
    def binds(self) -> set[str]:
        return set().union(*(s.binds for s in self.statements))

    @cached_property
    def gives(self) -> set[str]:
        return set().union(*(s.gives for s in self.statements))

    @cached_property
    def defines(self) -> set[str]:
        return set().union(*(s.defines for s in self.statements))

    @cached_property
    def unwritten(self) -> set[str]:
        return set().union(*(s.unwritten for s in self.statements))

    @cached_property
    def needs(self) -> set[str]:
        """Names that it takes from elsewhere: never bound in it, or bound only after they were read."""
        found, bound = set().union(*(s.uses for s in self.statements)) - self.binds, set[str]()
        for statement in self.statements:
            found |= statement.now - bound
            bound |= statement.binds
        return found


def names_of(names: Iterable[str]) -> frozenset[str]:
    """These names as a set, in little room."""
    return frozenset(map(sys.intern, names)) or NONE


def examine(text: str) -> Digest:
    """The statements of a cell. Never raises for what is written in it, but may take long for hostile text."""
    try:
        body = ast.parse(text).body
        if len(body) > STATEMENTS:
            return Digest(problem=f"it has more than {STATEMENTS:,} statements")
        lines = text.split("\n")
        return Digest([_statement(node, lines) for node in body])
    except SyntaxError as error:
        where = f", in its line {error.lineno}: {(error.text or '').strip()[:200]}" if error.lineno else ""
        return Digest(problem=f"{error.msg}{where}")
    except (RecursionError, MemoryError):
        return Digest(problem="it is nested too deeply")
    except ValueError as error:
        return Digest(problem=str(error)[:200])


def _statement(node: ast.stmt, lines: list[str]) -> Statement:
    text = _segment(node, lines)
    gives, defines = _given(node)
    given = list(map(names_of, (gives, defines, _unwritten([node]))))
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    table = _symbols(node, text)
    if table is None:
        return Statement(first, text, "other", NONE, NONE, NONE, NONE, *given)
    bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    changes = _changes(node)
    if isinstance(node, ast.Delete):
        bound = set()
    elif isinstance(node, ast.AugAssign):
        bound -= changes
    imports = [n for n in ast.walk(node) if isinstance(n, (ast.Import, ast.ImportFrom))]
    if any(alias.name == "*" for n in imports for alias in n.names):
        bound.add("*")
    modules = {module.partition(".")[0] for n in imports for module in _modules(n)}
    sets = map(names_of, (bound, changes, _uses(table) | changes, modules))
    late = map(names_of, (_now(table) | changes, _wraps(node), _touches(node), _effects(node)))
    return Statement(first, text, _kind(node), *sets, *given, *late)


def _symbols(node: ast.stmt, text: str) -> symtable.SymbolTable | None:
    """The names of a statement; None where only the compiler finds what is wrong, as a parameter declared global.

    A notebook may `await` outside of functions, which the compiler refuses here.
    """
    with contextlib.suppress(SyntaxError):
        return symtable.symtable(text, "<cell>", "exec")
    with contextlib.suppress(SyntaxError, RecursionError, ValueError):
        return symtable.symtable(ast.unparse(_WithoutAwait().visit(node)), "<cell>", "exec")
    return None


class _WithoutAwait(ast.NodeTransformer):
    """The same code without `await` and `async`, outside of functions."""

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return self.visit(node.value)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return self.generic_visit(ast.For(node.target, node.iter, node.body, node.orelse, lineno=node.lineno))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return self.generic_visit(ast.With(node.items, node.body, lineno=node.lineno))

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.is_async = 0
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node


def _kind(node: ast.stmt) -> str:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return "definition"
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return "import"
    if isinstance(node, ast.If) and _asks_for_main(node.test):
        return "main"
    if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Name, ast.Attribute, ast.Lambda)):
        return "alias"
    return "check" if _calls(node, {"check", "hint"}) else "other"


def _given(node: ast.stmt) -> tuple[set[str], set[str]]:
    """(names bound as an answer would be, those of them by `def`, `class` or `lambda`), in branches too.

    What is unpacked, counted through or taken from the course's own `reference(…)` is nobody's answer.
    """
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}, {node.name}
    if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value and not _calls(node.value, {"reference"}):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        return names, names if isinstance(node.value, ast.Lambda) else set()
    inner = [_given(statement) for block in _blocks(node) for statement in block]
    return set().union(*(gives for gives, _ in inner)), set().union(*(defines for _, defines in inner))


def _unwritten(block: list[ast.stmt]) -> set[str]:
    """The names in `raise NotImplementedError("name")` that can be reached: what stands behind a `return` can't."""
    found: set[str] = set()
    for node in block:
        match node:
            case ast.Raise(ast.Call(ast.Name("NotImplementedError"), [ast.Constant(str(name))])):
                return found | {name}
            case ast.Return() | ast.Raise():
                return found
        for inner in _blocks(node):
            found |= _unwritten(inner)
    return found


def _blocks(node: ast.stmt) -> list[list[ast.stmt]]:
    """The blocks of statements inside a compound statement."""
    inner = [node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())]
    return [getattr(part, name, []) for part in inner for name in ("body", "orelse", "finalbody")]


def _calls(node: ast.AST, names: set[str]) -> bool:
    called = (n.func for n in ast.walk(node) if isinstance(n, ast.Call))
    return any(isinstance(function, ast.Name) and function.id in names for function in called)


def _asks_for_main(test: ast.expr) -> bool:
    match test:
        case ast.Compare(ast.Name("__name__"), [ast.Eq()], [ast.Constant("__main__")]):
            return True
    return False


def _changes(node: ast.stmt) -> set[str]:
    """Names that stand at the root of the targets `a[0] = …`, `a.b = …`, `a += …`, in branches and loops too."""
    inner = [] if isinstance(node, SCOPES) else [one for block in _blocks(node) for one in block]
    found = set().union(*map(_changes, inner))
    targets: list = []
    if isinstance(node, (ast.Assign, ast.Delete)):
        targets = node.targets
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        targets = [node.target]
    for target in targets:
        name = _root(target)
        if name and (not isinstance(target, ast.Name) or isinstance(node, ast.AugAssign)):
            found.add(name)
    return found


def _root(node: ast.AST) -> str:
    """`a` of `a`, `a[0]`, `a.b.c`; "" of anything else."""
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _touches(node: ast.stmt) -> set[str]:
    """What may be changed by calls made for their effect: `a.append(1)`, `fill(a)`, in branches and loops too."""
    if isinstance(node, SCOPES):
        return set()
    if not (isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Await))):
        return set().union(*(_touches(one) for block in _blocks(node) for one in block))
    found = set()
    for call in (n for n in ast.walk(node.value) if isinstance(n, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id in ONLY_LOOK:
            continue
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        found |= {_root(one) for one in given} | ({_root(call.func)} if isinstance(call.func, ast.Attribute) else set())
    return found - {""}


def _effects(node: ast.AST) -> set[str]:
    """What a function or class changes outside of itself when it is called, judged by the text alone."""
    if not isinstance(node, SCOPES):
        return set()
    inner = [n for n in ast.walk(node) if isinstance(n, ast.stmt) and n is not node]
    declared = set().union(*(n.names for n in inner if isinstance(n, (ast.Global, ast.Nonlocal))))
    own = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    own |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
    return declared | (set().union(*(_changes(n) | _touches(n) for n in inner)) - own)


def _wraps(node: ast.stmt) -> set[str]:
    """The name in `f = cache(f)` or `f = f`, where it isn't itself what is called."""
    if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
        return set()
    name = node.targets[0].id
    used = any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node.value))
    return {name} if used and not _calls(node.value, {name}) else set()


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if node.module and not node.level else []


def _uses(table: symtable.SymbolTable) -> set[str]:
    """Names read at the top level or in a class body, and the globals of functions, which may only set them."""
    open_scope = table.get_type() in ("module", "class")
    own = {
        s.get_name()
        for s in table.get_symbols()
        if (s.is_referenced() and (open_scope or s.is_global())) or s.is_declared_global()
    }
    return own.union(*map(_uses, table.get_children()))


def _now(table: symtable.SymbolTable) -> set[str]:
    """Names read while the statement itself runs: not in the bodies of functions."""
    kind, name = table.get_type(), table.get_name()
    if kind == "function" and name not in COMPREHENSIONS:
        return set()
    own = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (kind == "module" or s.is_global())}
    return own.union(*map(_now, table.get_children()))


def _segment(node: ast.stmt, lines: list[str]) -> str:
    """The statement's own text, decorators included; `lines` as Python counts them."""
    decorators = getattr(node, "decorator_list", [])
    first, start = min([(node.lineno, node.col_offset), *((d.lineno, 0) for d in decorators)])
    found = lines[first - 1 : node.end_lineno]
    found[-1] = found[-1].encode()[: node.end_col_offset].decode()
    found[0] = found[0].encode()[start:].decode()
    return "\n".join(found)
