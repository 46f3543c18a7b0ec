"""Does what needs no language model work without the extra `models`, and is it told where it is needed?"""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from saelab import content

ROOT = Path(__file__).resolve().parents[3]
ANSWER = ROOT / "solutions/training/02_data.py"
SOURCES = [source for chapter in content.chapters() for source in content.sources(chapter)]
needs_models = runpy.run_path(str(ROOT / "build/opening.py"))["needs_models"]
WITHOUT = """
import sys
from saelab import extras

for name in extras.MODELS:
    sys.modules[name.replace("-", "_")] = None  # as if it were not installed
"""
CHECKS = """
from saelab import checking, content

for name in sys.argv[1:]:
    report = checking.run(content.find(name), content.reference_parts(content.find(name)))
    assert report.passed, report
"""
LAB = """
from saelab import lab

here = lab("pocket")
print(here.tokens(2, 8).shape, here.dictionary(here.sites[0]).d_sae)
here.model
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", WITHOUT + code, *arguments], capture_output=True, text=True)


def test_sections_without_a_model_are_checked_without_the_libraries_that_open_one():
    light = [e.id for s in SOURCES if not needs_models(s) for e in s.exercises]
    assert len(light) > 20
    ran = run(CHECKS, *light)
    assert ran.returncode == 0, ran.stderr


def test_text_and_dictionaries_of_the_pocket_lab_need_no_model_and_its_model_says_what_to_install():
    ran = run(LAB)
    assert ran.stdout.split() == ["torch.Size([2,", "8])", "1024"] and ran.returncode == 1
    last = ran.stderr.strip().splitlines()[-1]
    assert "This needs transformers, which the light install of the course leaves out." in last
    assert "pip install" in last and '"transformer-lens' in last and '"sae-lens' in last


def test_a_notebook_shows_the_sentence_and_no_traceback():
    shell = "from IPython.core.interactiveshell import InteractiveShell as I\n"
    ran = run(f"{shell}I.instance().run_cell('from saelab import lab; lab(\"pocket\").model')")
    assert ran.stdout.count("\n") == 1 and ran.stdout.startswith("This needs transformers"), ran.stdout + ran.stderr


@pytest.mark.parametrize("door", ["notebook", "terminal"])
def test_a_check_that_needs_a_model_is_not_failed_but_says_what_to_install(door):
    unwritten = "import torch\nfrom saelab import check\ndef harvest(*args): ...\nclass ShuffleBuffer: ...\n"
    through = {
        "notebook": unwritten + "print(check(harvest))",
        "terminal": f"from saelab import cli\ncli.main(['check', 'training/harvest', '--submission', {str(ANSWER)!r}])",
    }
    told = run(through[door]).stdout
    assert "This needs transformers and transformer-lens" in told and "checks pass" not in told


def test_the_doctor_is_content_with_the_light_install_and_says_what_is_left_out():
    ran = run("from saelab import cli\nsys.exit(cli.main(['doctor']))")
    assert ran.returncode == 0 and "sections that open a language model need them: pip install" in ran.stdout


def test_the_extra_is_told_as_pyproject_has_it():
    import tomllib

    from saelab import extras

    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["models"]
    assert {line.partition(">")[0].replace("_", "-") for line in extra} == set(extras.MODELS)
