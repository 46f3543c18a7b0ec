"""Peak memory of `latent_statistics` over more and more tokens; each size in a process of its own.

    python build/bench/viewers_memory.py [TOKENS ...]

Prints tokens, the peak resident memory of the process (MB), how much of it came with the statistics, the peak of
Python's own memory (tracemalloc), and seconds of CPU. Text is drawn batch by batch, so it is never all there.
glibc keeps freed pieces of ever new sizes, so the resident peak creeps up (by 29 MB from 65,536 to 262,144 tokens). It
should give them back with MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=65536 in the environment: on made-up
activations the peak was then 304 MB at 20,480, at 81,920 and at 245,760 tokens.
"""

import resource
import subprocess
import sys
import time
import tracemalloc

SIZES = (16_384, 65_536, 262_144)
LENGTH, BATCH = 64, 32


def measure(n_tokens: int) -> None:
    from saelab import lab
    from saelab.viewers import latent_statistics

    here = lab("pocket")
    site = here.sites[len(here.sites) // 2]
    here.model, here.dictionary(site), here.world
    before = peak()
    tracemalloc.start()
    started = time.process_time()
    batches = (here.tokens(BATCH, LENGTH, seed) for seed in range(n_tokens // (LENGTH * BATCH)))
    statistics = latent_statistics(here, site, batches)
    seconds = time.process_time() - started
    python = tracemalloc.get_traced_memory()[1] / 1e6
    told = f"{statistics.tokens:>9,} {len(statistics.latents):>8,}"
    print(told, f"{peak():>9.0f} {peak() - before:>9.0f} {python:>8.1f} {seconds:>8.1f}", flush=True)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(int(sys.argv[2]))
    else:
        print("   tokens  latents   peak MB  of it new  Python MB  CPU s", flush=True)
        for size in [int(n) for n in sys.argv[1:]] or SIZES:
            subprocess.run([sys.executable, __file__, "--one", str(size)], check=True)
