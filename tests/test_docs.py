"""What docstrings and the guide show is what happens."""

import doctest
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import skgd

PROJECT = Path(skgd.__file__).resolve().parent.parent
MODULES = sorted(["skgd", *(m.name for m in pkgutil.walk_packages(skgd.__path__, "skgd."))])
PAGES = sorted([*PROJECT.joinpath("docs").rglob("*.md"), PROJECT / "README.md"])
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    result = doctest.testmod(import_module(name), optionflags=OPTIONS)
    assert result.failed == 0


def test_there_are_examples_in_docstrings():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {t.name for m in MODULES for t in finder.find(import_module(m)) if t.examples}
    assert {"skgd._estimators.GDClassifier", "skgd._estimators.GDRegressor"} <= found


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(PROJECT).as_posix())
def test_code_in_the_guide_compiles(path):
    for code in re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S):
        if ">>>" not in code:
            compile(code, str(path), "exec")


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(PROJECT).as_posix())
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"\w+:", target):
            assert (path.parent / target).exists(), target


def referenced():
    """Return module and name of each thing in the reference."""
    text = (PROJECT / "docs" / "api" / "reference.rst").read_text()
    for part in text.split(".. currentmodule:: ")[1:]:
        for name in re.findall(r"^   (\w+)$", part, flags=re.M):
            yield part.split(maxsplit=1)[0], name


def test_every_public_name_is_in_the_reference():
    listed = {name for _, name in referenced()}
    own = ("solvers", "losses", "penalties", "schedules", "rules", "streaming", "inspection")
    for module in ["skgd", *(f"skgd.{name}" for name in (*own, "onnx", "landscapes"))]:
        found = import_module(module)
        things = {name: getattr(found, name) for name in found.__all__}
        own = {
            n for n, thing in things.items() if inspect.isclass(thing) or inspect.isroutine(thing)
        }
        assert own <= listed, module


@pytest.mark.parametrize(("module", "name"), list(referenced()))
def test_every_name_of_the_reference_has_an_example(module, name):
    thing = getattr(import_module(module), name)
    docs = [inspect.getdoc(thing), *(inspect.getdoc(v) for v in vars(thing).values())]
    assert any(">>>" in doc for doc in docs if doc), f"{module}.{name}"


def test_importing_skgd_costs_little_beyond_scikit_learn():
    code = (
        "import time; import sklearn.linear_model; a = time.perf_counter(); import skgd; "
        "print(time.perf_counter() - a); import sys; assert 'matplotlib' not in sys.modules"
    )
    # Compiled once, as an installation has it.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = {"args": [sys.executable, "-c", code], "capture_output": True, "check": True}
    took = [float(subprocess.run(**command, env=env).stdout) for _ in range(5)]
    assert min(took) < 0.3  # 0.03 on a quiet machine; ten times that is a library too many
