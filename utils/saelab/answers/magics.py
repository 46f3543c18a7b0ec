"""IPython's own language in Python's: magics, shell lines and questions; and where a line stands among brackets."""

import re

HARMLESS_CELL_MAGIC = re.compile(r"%%(time|timeit|capture|prun|memit)\b")
AUTOMAGIC = re.compile(  # the magics that people write without their %: a name with words behind it, or alone
    r"(?:pip|conda|mamba|micromamba|uv|cat|cd|cp|env|ls|ll|mkdir|mv|rm|rmdir|load_ext|autoreload|matplotlib)"
    r"(?:[ \t]+(?!(?:and|as|for|if|in|is|not|or)\b)(?:[\w./~$]|--?\w).*)|(?:ls|ll|pwd|who|whos)[ \t]*"
)
MAYBE_MAGIC = re.compile(
    rf"^[ \t]*[%!?]|=[ \t]*[%!]|\?[ \t;]*$|get_ipython\(|^[ \t]*(?:{AUTOMAGIC.pattern})$", re.MULTILINE
)
ASSIGNED = re.compile(r"([\w.][\w., \t]*)=[ \t]*(?:[%!]|get_ipython\(\)\.)")
HELP = re.compile(r"%{0,2}[\w.*\[\]'\"]+\?{1,2}[ \t]*;?[ \t]*")
WRITES = re.compile(r"%%(?:writefile|file)[ \t]+(?:-a[ \t]+|--append[ \t]+)?(['\"]?)([\w./-]+\.py)\1[ \t]*")
RUNS = re.compile(r"^[ \t]*%run[ \t]+(?:-[in][ \t]+)*(['\"]?)(?:\./)?([\w./-]+)\1(?:[ \t].*)?$", re.M)
PROMPTS = [  # (of the first line, of any line), as IPython strips them
    (re.compile(r">>>(?: |$)"), re.compile(r"(?:>>>|\.\.\.)(?: |$)")),
    (re.compile(r"In \[\d+\]:\s?"), re.compile(r"In \[\d+\]:\s?|\s*\.{3,}:\s?")),
]
TOKEN = re.compile(r"#.*|(?P<quote>\"\"\"|'''|\"|')|(?P<open>[\[({])|(?P<close>[\])}])")
STRING_END = {
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*"""'),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*'''"),
    '"': re.compile(r'(?:[^"\\]|\\.)*"'),
    "'": re.compile(r"(?:[^'\\]|\\.)*'"),
}


def after(line: str, depth: int, quote: str) -> tuple[int, str, bool]:
    """(open brackets, open string, does a backslash carry on) behind a line, from those before it."""
    place = 0
    while True:
        if quote:
            end = STRING_END[quote].match(line, place)
            if not end:
                carried = line.endswith("\\")
                return depth, quote if len(quote) == 3 or carried else "", False
            place, quote = end.end(), ""
        token = TOKEN.search(line, place)
        if not token or token[0].startswith("#"):
            return depth, "", not token and line.endswith("\\")
        place, quote = token.end(), token["quote"] or ""
        depth = max(0, depth + bool(token["open"]) - bool(token["close"]))


def unprompted(code: str) -> str:
    """A notebook's cell as IPython reads it: without the first line's indentation, and without pasted prompts."""
    lines = code.split("\n")
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    if indent:
        lines = [line.removeprefix(indent) for line in lines]
    for initial, prompt in PROMPTS:
        if initial.match(first.lstrip()):
            lines = [prompt.sub("", line, count=1) if prompt.match(line) else line for line in lines]
    return "\n".join(lines)


def written_file(code: str) -> str:
    """The .py file that a cell writes by `%%writefile`, or ''."""
    match = WRITES.fullmatch(code.lstrip().partition("\n")[0])
    return match[2] if match and not match[2].startswith("/") and ".." not in match[2].split("/") else ""


def run_files(code: str) -> list[str]:
    """The files that a cell runs by `%run`."""
    return [match[2] for match in RUNS.finditer(code)] if "%run" in code else []


def foreign(code: str) -> str:
    """The cell magic because of which Python never runs this cell, or ''."""
    first = code.lstrip().partition("\n")[0]
    return first.split()[0][:40] if first.startswith("%%") and not HARMLESS_CELL_MAGIC.match(first) else ""


def without_magics(code: str) -> str:
    """IPython's `%magic`, `!shell` and `help?` lines made into `pass`; a `%%` cell of another language emptied.

    `%time STATEMENT` becomes the statement. Lines keep their numbers.
    """
    if foreign(code):
        return ""
    if not MAYBE_MAGIC.search(code):
        return code
    lines: list[str] = []
    depth, quote, continued, dropping = 0, "", False, False
    for line in code.split("\n"):
        if not (line or dropping or quote or continued):
            lines.append(line)
            continue
        magic = "" if dropping else None
        if not (dropping or depth or quote or continued):
            magic = _as_python(line)
        if magic is None:
            lines.append(line)
            depth, quote, continued = after(line, depth, quote)
        else:
            lines.append(magic)
            dropping = line.rstrip().endswith("\\")
    return "\n".join(lines)


def _as_python(line: str) -> str | None:
    """What a line in IPython's own language comes to, or None where it is Python already."""
    body = line.lstrip(" \t")
    indent = line[: len(line) - len(body)]
    exported = body.startswith("get_ipython().")
    if body.startswith("%time ") and not line.endswith("\\"):
        return indent + body.removeprefix("%time ").strip()
    if body.startswith(("%", "!", "?")) or HELP.fullmatch(body) or (exported and after(body, 0, "") == (0, "", False)):
        return f"{indent}pass"
    if AUTOMAGIC.fullmatch(body):
        return f"{indent}pass"
    assigned = ASSIGNED.match(body)
    if assigned:
        return f"{indent}{assigned[1].rstrip()} = None" if "," not in assigned[1] else f"{indent}pass"
    return None
