"""Make every asset of the pocket world again: models, controls, dictionaries, their figures and their page.

    python build/world/recreate.py --runs runs          # about 2 hours on two CPU cores; a GPU is used if there

Each step goes on where it was stopped, and what is done is left alone: run the same command again after a kill, and
with another --runs to start from nothing. It ends by measuring the gates, and fails where one is not met.
On the way it takes 10 GB of memory and 7 GB of disk.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

BUILD = Path(__file__).parent
MODELS = {
    "model": ["--steps", "4500"],
    "second_seed": ["--steps", "3000", "--seed", "1"],
    "shuffled_tokens": ["--steps", "600", "--seed", "3", "--text", "shuffled"],
    "random_weights": ["--steps", "0", "--seed", "2"],
}


def start(script: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, str(BUILD / script), *arguments])


def together(*processes: subprocess.Popen) -> None:
    """Wait for processes that run side by side; stop all where one fails."""
    failed = [p.args for p in processes if p.wait() != 0]
    if failed:
        raise SystemExit(f"This step failed: {' '.join(map(str, failed[0]))}. Run the command again to go on.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for checkpoints and results")
    runs = parser.parse_args().runs
    began = time.monotonic()
    todo = [name for name in MODELS if not (runs / name / "run.json").exists()]
    for pair in (todo[:2], todo[2:]):
        together(*(start("pretrain.py", "--out", str(runs / name), *MODELS[name]) for name in pair))
    work = runs / "activations"
    places = ("--models", str(runs), "--out", str(runs / "dictionaries"), "--work", str(work))
    together(start("dictionaries.py", *places, "--jobs", "2"))
    shutil.rmtree(work, ignore_errors=True)
    together(start("install_assets.py", "--runs", str(runs)))
    together(start("evaluation.py"))
    print(f"All assets are made and measured, in {(time.monotonic() - began) / 60:.0f} minutes.")


if __name__ == "__main__":
    main()
