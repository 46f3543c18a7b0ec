"""Honest work as students really pack it: name → the files of one student's folder.

Each passes in a real kernel, run from top to bottom; which exercises do is found out there, not written here.
"""

import json

from .course import SETUP, SOLUTIONS, starter

CHAPTER = "packing"
HOME = f"{CHAPTER}/01_packing"
FIGURE = {"output_type": "display_data", "metadata": {}, "data": {"application/vnd.plotly.v1+json": {"data": []}}}


class Marked(str):
    """The text of a cell that is marked with an exercise."""

    exercise = ""


def marked(exercise: str, text: str) -> Marked:
    made = Marked(text)
    made.exercise = exercise
    return made


def answer(exercise: str, text: str = "") -> list[str]:
    """The exercise's own cell, and the check below it."""
    return [marked(exercise, text or SOLUTIONS[exercise]), f"check({exercise})"]


def notebook(*cells, setup: str = SETUP, outputs: list | None = None) -> str:
    """A notebook of code cells; lists of cells are laid out flat."""
    flat = [setup] + [c for cell in cells for c in (cell if isinstance(cell, list) else [cell])]
    made = [
        {
            "cell_type": "code",
            "source": text.splitlines(keepends=True),
            "metadata": {"exercise": text.exercise} if isinstance(text, Marked) else {},
            "outputs": outputs or [],
            "execution_count": number,
        }
        for number, text in enumerate(flat, 1)
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, separators=(",", ":"))


def one(*cells, **more) -> dict[str, str]:
    """A folder with a notebook alone, or with other files beside it."""
    files = {name: more.pop(name) for name in list(more) if "." in name}
    return {f"{HOME}.ipynb": notebook(*cells, **more), **{f"{CHAPTER}/{name}": text for name, text in files.items()}}


def script(text: str) -> dict[str, str]:
    return {f"{HOME}.py": text}


def big_figures() -> list:
    """Eleven megabytes of plotly, as numbers."""
    numbers = list(range(10)) * 550_000
    return [{**FIGURE, "data": {"application/vnd.plotly.v1+json": {"data": [{"y": numbers}]}}}]


DOUBLE, QUADRUPLE = SOLUTIONS["double"], SOLUTIONS["quadruple"]
TWICE = "def twice(x):\n    return x + x\n"
USES_TWICE = answer("double", "def double(x):\n    return twice(x)")

SCALE_OF_BASE = """\
class Scale(Base):
    def __init__(self, weight):
        self.weight = weight
    def forward(self, x):
        return x * self.weight"""

RESULTS = {
    "numpy's whole number": one(
        "import numpy as np", answer("largest", "def largest(x):\n    return np.argmax(x.numpy())")
    ),
    "numpy's numbers in a tuple": one(
        answer("ends", "def ends(x):\n    x = x.double().numpy()\n    return x.min(), x.max()")
    ),
    "numpy's single precision in a list": one(
        answer("ends", "def ends(x):\n    x = x.numpy()\n    return [x.min(), x.max()]")
    ),
    "numpy's array": one("import numpy", answer("ends", "def ends(x):\n    return numpy.array([x.min(), x.max()])")),
    "tensors in place of numbers": one(answer("ends", "def ends(x):\n    return x.min(), x.max()")),
    "both ends from torch's named tuple": one(answer("ends", "def ends(x):\n    return torch.aminmax(x)")),
    "a named tuple": one(
        "from typing import NamedTuple\nclass Ends(NamedTuple):\n    low: float\n    high: float",
        answer("ends", "def ends(x):\n    return Ends(float(x.min()), float(x.max()))"),
    ),
    "a generator of two": one(answer("ends", "def ends(x):\n    return (float(f(x)) for f in (torch.min, torch.max))")),
    "a map of two": one(answer("ends", "def ends(x):\n    return map(float, (x.min(), x.max()))")),
    "a slice of a sorted tensor": one(answer("ends", "def ends(x):\n    return x.sort().values[[0, -1]]")),
    "an enumeration of whole numbers": one(
        "import enum\nAt = enum.IntEnum('At', [f'P{i}' for i in range(9)], start=0)",
        answer("largest", "def largest(x):\n    return At(int(x.argmax()))"),
    ),
    "an enumeration of words": one(
        "import enum\nclass Phase(str, enum.Enum):\n    ice = 'ice'\n    water = 'water'",
        answer("phase", "def phase(degrees):\n    return Phase.ice if degrees < 0 else Phase.water"),
    ),
    "StrEnum": one(
        "import enum\nclass Phase(enum.StrEnum):\n    ICE = 'ice'\n    WATER = 'water'",
        answer("phase", "def phase(degrees):\n    return Phase.ICE if degrees < 0 else Phase.WATER"),
    ),
    "numpy's text": one(
        "import numpy as np",
        answer("phase", "def phase(degrees):\n    return np.array(['water', 'ice'])[int(degrees < 0)]"),
    ),
    "a Counter": one(
        "from collections import Counter", answer("tally", "def tally(words):\n    return Counter(words)")
    ),
    "a defaultdict": one(
        answer(
            "tally",
            "from collections import defaultdict\ndef tally(words):\n    n = defaultdict(int)\n    for w in words:\n"
            "        n[w] += 1\n    return n",
        )
    ),
    "pandas counts, as a dictionary": one(
        "import numpy as np",
        answer("tally", "def tally(words):\n    return dict(zip(*np.unique(words, return_counts=True)))"),
    ),
    "a dictionary of its own class": one(
        answer(
            "tally",
            "class Tally(dict):\n    pass\ndef tally(words):\n    return Tally({w: words.count(w) for w in words})",
        )
    ),
    "a subclass of the exception": one(
        "class Negative(ValueError):\n    pass",
        answer("root", "def root(x):\n    if x < 0:\n        raise Negative(f'{x} < 0')\n    return x ** 0.5"),
    ),
    "an exception with two parents and an own constructor": one(
        "class Negative(KeyError, ValueError):\n    def __init__(self, x, why):\n        super().__init__(why)",
        answer("root", "def root(x):\n    if x < 0:\n        raise Negative(x, 'no')\n    return x ** 0.5"),
    ),
    "a library's exception": one(
        "import json", answer("root", "def root(x):\n    if x < 0:\n        json.loads('')\n    return x ** 0.5")
    ),
    "an encoding's exception": one(
        answer("root", "def root(x):\n    if x < 0:\n        b'\\xff'.decode()\n    return x ** 0.5")
    ),
    "a number of numpy's for a float": one(
        answer(
            "root", "import numpy as np\ndef root(x):\n    if x < 0:\n        raise ValueError\n    return np.sqrt(x)"
        )
    ),
}

REBOUND = {
    "a scratch cell below that rebinds the name": one(answer("double"), "W = torch.ones(3)\ndouble = double(W)"),
    "the same, unmarked": one(DOUBLE, "check(double)", "W = torch.ones(3)\ndouble = double(W)"),
    "a loop variable by an exercise's name": one(
        answer("phase"), "for phase in ['before', 'after']:\n    print(phase)", answer("double")
    ),
    "a loop below by the name that a later exercise uses": one(
        answer("double"), answer("quadruple"), "for double in range(3):\n    pass"
    ),
    "a scratch definition below, never checked": one(
        answer("double"), "def double(x, times=1):\n    return x * times\nprint(double(torch.ones(1)))"
    ),
    "a scratch class below, never checked": one(
        answer("Scale"), "class Scale:\n    pass  # try something else\nprint(Scale())"
    ),
    "a better version below, checked there": one(
        answer("double", "def double(x):\n    return x"), "def double(x):\n    return x + x", "check(double)"
    ),
    "a wrapper with wraps": one(
        marked("double", "def double(x):\n    return x"),
        "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def g(x):\n        return 2 * f(x)\n"
        "    return g",
        "double = twice(double)\ncheck(double)",
    ),
    "a decorated definition over the old one": one(
        marked("double", "def double(x):\n    return x"),
        "import functools\nold = double\n@functools.wraps(old)\ndef double(x):\n    return old(x) + old(x)",
        "check(double)",
    ),
    "the old one as a default argument": one(
        marked("double", "def double(x):\n    return x"),
        "def double(x, old=double):\n    return 2 * old(x)",
        "check(double)",
    ),
    "a class grown cell by cell": one(
        marked("Scale", "class Scale:\n    def __init__(self, weight):\n        self.weight = weight"),
        "class Scale(Scale):\n    def forward(self, x):\n        return x * self.weight",
        "check(Scale)",
    ),
    "a method attached in another cell": one(
        marked("Scale", "class Scale:\n    def __init__(self, weight):\n        self.weight = weight"),
        "def forward(self, x):\n    return x * self.weight\nScale.forward = forward",
        "check(Scale)",
    ),
    "a method attached by setattr": one(
        marked("Scale", "class Scale:\n    def __init__(self, weight):\n        self.weight = weight"),
        "setattr(Scale, 'forward', lambda self, x: x * self.weight)",
        "check(Scale)",
    ),
    "an answer that another exercise's scratch cell rebinds, above": one(
        answer("double"), answer("quadruple", "def quadruple(x):\n    return double(double(x))"), "double = 3"
    ),
    "two versions, the first kept under another name": one(
        "def double(x):\n    return 2 * x\nfirst = double", answer("double", "def double(x):\n    return first(x)")
    ),
    "compiled by a decorator's call": one(
        marked("double", DOUBLE), "import functools\ndouble = functools.partial(double)", "check(double)"
    ),
}

STATE = {
    "a table filled by a loop": one(
        "TABLE = {}\nfor i in range(10):\n    TABLE[i] = 'ice' if i < 5 else 'water'",
        answer("phase", "def phase(degrees):\n    return TABLE[0 if degrees < 0 else 9]"),
    ),
    "a table filled by a loop in another cell": one(
        "TABLE = {}",
        "for word, sign in [('ice', True), ('water', False)]:\n    TABLE[sign] = word",
        answer("phase", "def phase(degrees):\n    return TABLE[degrees < 0]"),
    ),
    "a list appended to": one(
        "NAMES = []",
        "NAMES.append('water')",
        "for n in ['ice']:\n    NAMES.append(n)",
        answer("phase", "def phase(degrees):\n    return NAMES[degrees < 0]"),
    ),
    "a list changed by a function": one(
        "NAMES = []\ndef add(to, name):\n    to.append(name)",
        "add(NAMES, 'water')\nadd(NAMES, 'ice')",
        answer("phase", "def phase(degrees):\n    return NAMES[degrees < 0]"),
    ),
    "a tensor written within no_grad": one(
        "TWO = torch.zeros(1)",
        "with torch.no_grad():\n    TWO[0] = 2.0",
        answer("double", "def double(x):\n    return TWO * x"),
    ),
    "a tensor filled in place": one(
        "TWO = torch.zeros(())", "TWO.fill_(2)", answer("double", "def double(x):\n    return TWO * x")
    ),
    "a name bound within with": one(
        "with torch.no_grad():\n    TWO = torch.ones(1) + 1", answer("double", "def double(x):\n    return TWO * x")
    ),
    "a loop that counts": one(
        "two = 0", "for _ in range(2):\n    two += 1", answer("double", "def double(x):\n    return two * x")
    ),
    "a while loop": one(
        "two = 0\nwhile two < 2:\n    two += 1", answer("double", "def double(x):\n    return two * x")
    ),
    "a registry filled by a decorator": one(
        "KNOWN = {}\ndef register(f):\n    KNOWN[f.__name__] = f\n    return f",
        "@register\ndef twice(x):\n    return 2 * x",
        answer("double", "def double(x):\n    return KNOWN['twice'](x)"),
    ),
    "a table updated under try": one(
        "OPTIONS = dict(two=1)",
        "try:\n    OPTIONS.update(two=2)\nexcept KeyError:\n    pass",
        answer("double", "def double(x):\n    return OPTIONS['two'] * x"),
    ),
    "a variable bound twice above": one(
        "two = torch.ones(1)", "two = two + 1", answer("double", "def double(x):\n    return two * x"), "two = None"
    ),
}

NAMES = {
    "a star import and its sum": one(
        "from torch import *", answer("double", "def double(x):\n    return sum(stack([x, x]), 0)")
    ),
    "an own sum": one("def sum(a, b):\n    return a + b", answer("double", "def double(x):\n    return sum(x, x)")),
    "an own sum by assignment": one(
        "sum = torch.sum", answer("double", "def double(x):\n    return sum(torch.stack([x, x]), 0)")
    ),
    "an own abs by lambda": one("abs = lambda x: x + x", answer("double", "def double(x):\n    return abs(x)")),
    "a star import below an own name": one(
        "add = lambda x: x + x", "from math import *", answer("double", "def double(x):\n    return add(x)")
    ),
    "display in a helper": one(
        "def show(x):\n    display(x)\n    return x",
        answer("double", "def double(x):\n    display('here')\n    return show(x + x)"),
    ),
    "annotations from the future, in two parts": one(
        marked("encode", "from __future__ import annotations\ndef encode(x: Nope, key: int):\n    return x + key"),
        "def decode(x: Nope, key: int):\n    return x - key",
        "check(encode, decode)",
    ),
    "the two parts in two cells, the second above": one(
        "def decode(x, key):\n    return encode(x, -key)",
        marked("encode", "from __future__ import annotations\n\ndef encode(x: Nope, key: int):\n    return x + key"),
        "check(encode, decode)",
    ),
    "a raise that is commented out": one(
        answer("double", 'def double(x):\n    # raise NotImplementedError("double")\n    return x + x')
    ),
    "a raise in a string, and one left behind": one(
        answer(
            "double",
            "def double(x):\n    '''raise NotImplementedError(\"double\")'''\n    return x + x\n    "
            + 'raise NotImplementedError("double")',
        )
    ),
    "a raise that is never reached": one(
        answer(
            "double", 'def double(x):\n    if x is None:\n        raise NotImplementedError("double")\n    return x + x'
        )
    ),
    "a raise behind if False": one(
        answer("double", 'def double(x):\n    if False:\n        raise NotImplementedError("double")\n    return x + x')
    ),
    "a raise in a base class": one(
        "class Base:\n    def forward(self, x):\n        raise NotImplementedError('Scale')",
        answer(
            "Scale",
            SCALE_OF_BASE,
        ),
    ),
    "a raise in an abstract method of the same cell": one(
        answer(
            "Scale",
            "class Base:\n    def forward(self, x):\n        raise NotImplementedError('Scale')\n" + SCALE_OF_BASE,
        ),
    ),
    "the starter above, the answer in a new cell": one(marked("double", starter("double")), DOUBLE, "check(double)"),
    "the starter in the same cell, above the answer": one(answer("double", starter("double") + "\n\n\n" + DOUBLE)),
    "a decorator over several lines": one(
        "import functools\ndef times(n, why=''):\n    return lambda f: functools.wraps(f)(lambda x: n * f(x))",
        answer("double", "@times(\n    2,\n    why='it doubles',\n)\n# the identity\n\ndef double(x):\n    return x"),
    ),
}

TEXT = {
    "an indented cell": one(answer("double", "    def double(x):\n        return x + x")),
    "an indented helper cell": one("  def twice(x):\n      return x + x", USES_TWICE),
    "prompts pasted": one(answer("double", ">>> def double(x):\n...     return x + x\n...")),
    "IPython's prompts pasted": one(answer("double", "In [3]: def double(x):\n   ...:     return x + x")),
    "a helper's prompts pasted": one(">>> TWO = 2", answer("double", "def double(x):\n    return TWO * x")),
    "a timed cell": one(answer("double", "%%time\n" + DOUBLE)),
    "a captured cell": one(answer("double", "%%capture out\n" + DOUBLE)),
    "a blank line and a comment above a cell magic": one(answer("double", "\n%%time\n" + DOUBLE)),
    "shell lines and questions": one(
        "!true\ndouble?\n%pwd", answer("double", DOUBLE + "\n%timeit -n1 -r1 double(torch.ones(1))")
    ),
    "a semicolon and a trailing backslash": one(answer("double", "def double(x):\n    return x \\\n        + x;")),
    "a line of magic within a function": one(answer("double", "def double(x):\n    %pwd\n    return x + x")),
    "tabs, form feeds and Windows line ends": one(
        answer("double", "# \x0c\r\ndef double(x):\r\n\tx = (x +\r\n\t     x)\r\n\treturn x")
    ),
    "await": one(
        "import asyncio\nasync def two():\n    return 2\nTWO = await two()",
        answer("double", "def double(x):\n    return TWO * x"),
    ),
    "names in other scripts": one(answer("double", "def double(ξ):\n    größe = ξ\n    return größe + ξ")),
    "figures of ten megabytes": one(answer("double"), outputs=big_figures()),
    "the cells all in one": one("\n\n".join([DOUBLE, QUADRUPLE, "check(double)", "check(quadruple)"])),
    "all metadata lost": one(*[c for n in SOLUTIONS for c in (SOLUTIONS[n], f"check({n})")]),
    "the plain notebook": one(*[answer(n) for n in SOLUTIONS]),
}

FILES = {
    "a helper module beside it": one("from helpers import twice", USES_TWICE, **{"helpers.py": TWICE}),
    "a helper imported as": one(
        "import helpers as h", answer("double", "def double(x):\n    return h.twice(x)"), **{"helpers.py": TWICE}
    ),
    "a package of helpers": one(
        "from lib.core import twice",
        USES_TWICE,
        **{
            "lib/__init__.py": "",
            "lib/core.py": "from .sums import add\ndef twice(x):\n    return add(x, x)\n",
            "lib/sums.py": "def add(a, b):\n    return a + b\n",
        },
    ),
    "a folder of helpers without an init": one(
        "import lib.core", answer("double", "def double(x):\n    return lib.core.twice(x)"), **{"lib/core.py": TWICE}
    ),
    "a package whose init has it": one(
        "from lib import twice",
        USES_TWICE,
        **{"lib/__init__.py": "from .core import *\nfrom . import core\n", "lib/core.py": TWICE},
    ),
    "an import inside the function": one(
        answer("double", "def double(x):\n    from helpers import twice\n    return twice(x)"), **{"helpers.py": TWICE}
    ),
    "two modules that import each other": one(
        "from a_part import twice",
        USES_TWICE,
        **{"a_part.py": "import b_part\n" + TWICE, "b_part.py": "import a_part\n"},
    ),
    "a copy of the helper in another folder": one(
        "from helpers import twice",
        USES_TWICE,
        **{
            "helpers.py": TWICE,
            "old/helpers.py": "def twice(x):\n    return x\nraise SystemExit\n",
            "a/helpers.py": TWICE,
        },
    ),
    "a helper in the folder above": {
        **one("import sys\nsys.path.append('..')\nfrom helpers import twice", USES_TWICE),
        "helpers.py": TWICE,
    },
    "display in a module": one(
        "from helpers import twice", USES_TWICE, **{"helpers.py": "def twice(x):\n    return x + x\n"}
    ),
    "written by %%writefile": one("%%writefile helpers.py\n" + TWICE, "from helpers import twice", USES_TWICE),
    "written in a folder by %%writefile, in two goes": one(
        "import os\nos.makedirs('lib', exist_ok=True)",
        "%%writefile lib/tools.py\n" + TWICE,
        "%%writefile -a lib/tools.py\n\nTWO = 2\n",
        "from lib.tools import *",
        USES_TWICE,
    ),
    "run by %run": one("%run helpers.py", USES_TWICE, **{"helpers.py": TWICE}),
    "run by %run -i, and then in the notebook": one(
        "N = 2", "%run -i helpers", USES_TWICE, **{"helpers.py": "def twice(x):\n    return N * x\n"}
    ),
    "another notebook run by %run": one(
        "%run tools.ipynb", USES_TWICE, **{"tools.ipynb": notebook(TWICE, setup="import torch")}
    ),
    "written by %%writefile, run by %run": one("%%writefile helpers.py\n" + TWICE, "%run helpers.py", USES_TWICE),
    "a helper that is never imported and can't be read": one(answer("double"), **{"draft.py": "def (:\n"}),
}

SCRIPTS = {
    "a script of percent cells": script("".join(f"# %%\n{c}\n\n" for c in [SETUP, DOUBLE, "check(double)"])),
    "a plain script": script(f"{SETUP}\n\n{DOUBLE}\n\n\ncheck(double)\n"),
    "a script with a program's end": script(
        f"{SETUP}\n\n{DOUBLE}\n\n\nif __name__ == '__main__':\n    check(double)\n"
    ),
    "a script with decorators over several lines": script(
        f"{SETUP}\nimport functools\ndef times(n, why=''):\n    return lambda f: "
        "functools.wraps(f)(lambda x: n * f(x))\n\n"
        "@times(\n    2,\n    why='it doubles',\n)\ndef double(x):\n    return x\n\n"
        "@functools.cache\n# why not\n\n# indeed\ndef two(\n):\n    return 2\n"
        "def quadruple(x):\n    return two() * double(x)\n\ncheck(double)\ncheck(quadruple)\n"
    ),
    "a script with timed cells from Colab": script(
        f"{SETUP}\n# Commented out IPython magic to ensure Python compatibility.\n"
        f"# %%time\n# TWO = 2\n\n{DOUBLE}\n\ncheck(double)\n"
    ),
    "a script with a scratch line below": script(
        f"{SETUP}\n{DOUBLE}\n\ncheck(double)\n\ndouble = double(torch.ones(2))\n"
    ),
    "a script with state from a loop": script(
        f"{SETUP}\nTWO = 0\nfor _ in range(2):\n    TWO += 1\n\ndef double(x):\n    return TWO * x\n\ncheck(double)\n"
    ),
}

PACKAGINGS = {**RESULTS, **REBOUND, **STATE, **NAMES, **TEXT, **FILES, **SCRIPTS}
