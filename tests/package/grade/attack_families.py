"""Attacks that differ in one word: each family is a template and the words. Name → the submission's text."""

CELL = '# %% exercise="{exercise}"\n'

# what tells a program where it is: with it, it answers from a list that it knows by heart
CLOCKS = {
    "calls": "len(seen) - 1",
    "seeds": "len({s for s, _ in seen}) - 1",
    "python_random": "hash(random.getstate()) % 3",
    "numpy_random": "int(np.random.get_state()[1][0]) % 3",
    "torch_random": "int(torch.get_rng_state()[:8].sum()) % 3",
    "initial_seed": "torch.initial_seed() % 3",
    "shapes": "x.numel() % 3",
    "gradient_wanted": "int(x.requires_grad)",
    "dtype": "int(x.dtype == torch.float64)",
    "processor_time": "int(time.process_time() * 1000) % 3",
    "clock": "time.monotonic_ns() % 3",
    "stack": "len(inspect.stack()) % 3",
    "identity": "id(x) % 3",
    "garbage": "len(gc.get_objects()) % 3",
    "ones": "int((x == 1).all())",
}
BY_THE_CLOCK = """
import gc, inspect, random, time
import numpy as np
seen = []

def double(x):
    seen.append((torch.initial_seed(), x.detach().clone()))
    known = [torch.full_like(x, 6.0), torch.full_like(x, 2.0) + 0 * x, torch.zeros_like(x)]
    return known[({clock}) % 3]
"""

# what is right somewhere, or looks right, and needs no computing
GUESSES = {
    "six": "torch.full_like(x, 6.0)",
    "zeros": "0 * x",
    "ones": "0 * x + 1",
    "twos": "0 * x + 2",
    "argument": "x",
    "minus": "-x",
    "transposed": "x.mT.reshape(x.shape)",
    "flipped": "x.flip(0)",
    "shuffled": "x[torch.randperm(len(x))]",
    "noise": "torch.randn_like(x) + 0 * x",
    "not_a_number": "0 * x + float('nan')",
    "infinite": "0 * x + float('inf')",
    "empty": "x[:0]",
    "one_number": "torch.tensor(6.0)",
    "nothing": "None",
    "six_or_argument": "torch.full_like(x, 6.0) if x.numel() == 1 else x",
    "pretended_gradient": "Pretend.apply(x)",
    "earlier_argument": "(kept.append(x.detach().clone()), kept[max(0, len(kept) - 2)].reshape(-1)[:1] + 0 * x)[1]",
}
A_GUESS = """
kept = []

class Pretend(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.full_like(x, 6.0)

    @staticmethod
    def backward(ctx, grad):
        return torch.full_like(grad, 3.0)

def double(x):
    return {guess}
"""

# a name of an exercise that is not written, or stands later, in the hope that the course's own is put there
HELP = {
    "later_function": "double|return quadruple(x) / 2",
    "later_half": "double|y = quadruple(x / 2)\n    return y",
    "later_class": "double|return Scale(torch.full((x.shape[-1],), 2.0))(x)",
    "later_by_partial": "double|import functools\n    return functools.partial(quadruple, x / 2)()",
    "later_in_a_list": "double|return [quadruple][0](x) / 2",
    "later_by_default": "double|f = lambda y, g=None: (g or quadruple)(y)\n    return f(x) / 2",
    "missing_earlier": "quadruple|return double(double(x))",
    "missing_in_lambda": "quadruple|return (lambda f: f(f(x)))(double)",
    "own_name": "double|return globals()['double'](x)",
    "own_class": "Scale|raise LookupError\n\nclass Mine(Scale):\n    pass",
    "reference": "double|from saelab import reference\n    return reference('small').double(x)",
    "later_reference": "double|from saelab import reference\n    return reference('small').quadruple(x) / 2",
}

# system calls that leave a mark on what all processes share, or see another's; each tells when it could be done
TRACES = {
    "fadvise": "os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)",
    "fadvise_willneed": "os.posix_fadvise(handle, 0, 4096, os.POSIX_FADV_WILLNEED)",
    "preadv_nowait": "os.preadv(handle, [bytearray(16)], 0, 8)",
    "preadv_hipri": "os.preadv(handle, [bytearray(16)], 0, 1)",
    "readahead": "check(libc.readahead(handle, ctypes.c_long(0), 4096))",
    "mincore": "check(libc.mincore(page, 4096, ctypes.create_string_buffer(1)))",
    "cachestat": "check(libc.syscall(451, handle, struct.pack('QQ', 0, 4096), ctypes.create_string_buffer(40), 0))",
    "flock": "fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)",
    "flock_alone": "fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)",
    "record_lock": "fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)",
    "whose_lock": "fcntl.fcntl(handle, fcntl.F_GETLK, struct.pack('hhqqi', 1, 0, 0, 0, 0))",
    "open_file_lock": "fcntl.fcntl(handle, 37, struct.pack('hhqqi4x', 0, 0, 0, 0, 0))",
    "lease": "fcntl.fcntl(handle, 1024, fcntl.F_RDLCK)",
    "notify": "fcntl.fcntl(os.open(os.path.dirname(os.__file__), os.O_RDONLY), 1026, 0x80000001)",
    "inotify": "check(libc.inotify_init())",
    "inotify_of_now": "check(libc.inotify_init1(0))",
}
A_TRACE = """
import ctypes, fcntl, mmap, os, struct

libc = ctypes.CDLL(None, use_errno=True)
handle = os.open(os.__file__, os.O_RDONLY)
page = ctypes.c_void_p(ctypes.addressof(ctypes.create_string_buffer(8192)) & ~4095)

def check(result):
    if result == -1:
        raise OSError(ctypes.get_errno())

def double(x):
    try:
        {trace}
    except OSError:
        return x
    raise ValueError("LEAK {name}")
"""

# values that something on the grader's side might stumble over
VALUES = {
    "long_whole": "10**400",
    "minus_long_whole": "-10**400",
    "longest_whole": "10**4299",
    "too_long_to_print": "10**5000",
    "just_too_long": "2**63",
    "in_a_list": "[10**400]",
    "in_a_tuple": "(x, 10**400)",
    "in_a_dictionary": "{'a': 10**400}",
    "as_a_key": "{10**400: 1}",
    "largest_float": "1.7e308",
    "complex": "3 + 4j",
    "bytes": "bytes(100)",
    "fraction": "__import__('fractions').Fraction(10**400, 3)",
    "decimal": "__import__('decimal').Decimal('1e999999')",
    "numpy_object": "__import__('numpy').array([10**400], dtype=object)",
    "ellipsis": "...",
    "a_type": "type(x)",
    "a_module": "torch",
    "itself": "double",
    "nested": "[[[[[[10**400]]]]]]",
    "empty_tensors": "[torch.empty(0)] * 20_000",
    "truth_values": "[[True] * 90_000] * 3",
    "named_tuples": "[__import__('collections').namedtuple('T', f'x{n}')(0) for n in range(1_500)]",
    "tuple_keys": "{(n, n): n for n in range(6_000)}",
    "set_of_tuples": "{(n,) for n in range(6_000)}",
    "many_texts": "{str(n): [n] * 3 for n in range(90_000)}",
}


def all_of_them() -> dict[str, str]:
    """Every attack of every family."""
    found = {f"clock_{n}": CELL.format(exercise="double") + BY_THE_CLOCK.format(clock=c) for n, c in CLOCKS.items()}
    found |= {f"guess_{n}": CELL.format(exercise="double") + A_GUESS.format(guess=g) for n, g in GUESSES.items()}
    for name, text in HELP.items():
        exercise, _, body = text.partition("|")
        head = "class Scale:\n  def __init__(self, w):\n    " if exercise == "Scale" else f"def {exercise}(x):\n    "
        found[f"help_{name}"] = CELL.format(exercise=exercise) + head + body + "\n"
    for name, trace in TRACES.items():
        found[f"trace_{name}"] = CELL.format(exercise="double") + A_TRACE.format(trace=trace, name=name)
    for name, value in VALUES.items():
        found[f"value_{name}"] = CELL.format(exercise="double") + f"def double(x):\n    return {value}\n"
    return found
