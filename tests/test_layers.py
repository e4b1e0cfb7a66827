"""The rules of the house, read from syntax trees: who may know what, and what must be said."""

import ast
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import skgd
from skgd.losses import LOSSES, get_loss_names
from skgd.penalties import PENALTIES
from skgd.rules import RULES
from skgd.schedules import SCHEDULES, get_schedule_names
from skgd.solvers import SOLVERS, get_solver_names

ROOT = Path(skgd.__file__).resolve().parent
PROJECT = ROOT.parent
SOURCES = sorted(p for p in ROOT.rglob("*.py"))
KERNELS = sorted(p for end in ("*.pyx", "*.pxd", "*.h") for p in (ROOT / "_kernels").glob(end))
# ``sparsify`` makes a sparse ``coef_``, so the file that has it must be able to see one.
MAY_SEE_STORAGE = {"_estimators.py"}
PRIVATE = re.compile(r"sklearn(\.\w+)*\._(?!_)")


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def calls(path):
    """Return dotted names of everything that a module calls."""
    return [ast.unparse(n.func) for n in ast.walk(tree(path)) if isinstance(n, ast.Call)]


def imports(path):
    """Return absolute names of all that a module imports, wherever it does so."""
    parts = ("skgd", *path.relative_to(ROOT).with_suffix("").parts)
    package = parts[:-1]
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return found


def every_source(function):
    return pytest.mark.parametrize("path", SOURCES, ids=name_of)(function)


def test_there_is_something_to_read():
    assert len(SOURCES) > 40
    assert len(KERNELS) > 10


# ---- who may know what ----


@every_source
def test_only_objectives_ask_how_rows_are_stored(path):
    if name_of(path).startswith("objectives/") or name_of(path) in MAY_SEE_STORAGE:
        return
    asking = re.compile(r"(^|\.)(issparse|isspmatrix\w*|array_namespace|get_namespace\w*)$")
    assert not [c for c in calls(path) if asking.search(c)]
    assert not [i for i in imports(path) if i.startswith("scipy.sparse")]


@every_source
def test_only_callbacks_print(path):
    if not name_of(path).startswith("callbacks/"):
        assert "print" not in calls(path)


@every_source
def test_private_parts_of_scikit_learn_are_imported_in_one_place(path):
    if name_of(path) != "_compat.py":
        assert not [i for i in imports(path) if PRIVATE.match(i)]


@every_source
def test_the_global_generator_is_not_used(path):
    drawn = re.compile(
        r"^(np|numpy)\.random\.(?!RandomState$|default_rng$|Generator$|SeedSequence$)"
    )
    assert not [c for c in calls(path) if drawn.match(c)]
    assert not [i for i in imports(path) if i == "random" or i.startswith("numpy.random.")]
    # A generator without a seed, or scikit-learn's, is the global one in another dress.
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and not node.args:
            assert not ast.unparse(node.func).endswith((".RandomState", "default_rng"))
            assert ast.unparse(node.func) != "check_random_state"


MAY_IMPORT = {
    "solvers": "_method _component _dual _protocols _kernels _ranges rules schedules solvers "
    "_schedule _threads",
    "rules": "_method _component _kernels _ranges rules",
    "losses": "_component _kernels _ranges _signatures losses",
    "penalties": "_component _ranges _signatures penalties",
    "objectives": "_kernels _compat _protocols _threads objectives",
    "_certificate.py": "_dual _room _smoother losses solvers",
    "_room.py": "_dual solvers",
    "_smoother.py": "_driver _dual _protocols solvers",
    "_dual.py": "losses",
    "_driver.py": "_protocols",
    "_problem.py": "_protocols penalties",
    "callbacks": "_protocols _ranges callbacks",
    "_protocols.py": "",
    "_component.py": "",
    "_schedule.py": "_component _ranges",
    "schedules": "_component _ranges _schedule schedules",
    "_kernels": "_kernels",
    "_ranges.py": "",
    "_threads.py": "",
    "_signatures.py": "",
}


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_what_is_below_it(layer):
    files = [p for p in SOURCES if name_of(p) == layer or name_of(p).startswith(f"{layer}/")]
    assert files
    allowed = set(MAY_IMPORT[layer].split())
    for path in files:
        ours = [i.split(".")[1] for i in imports(path) if i.startswith("skgd.")]
        assert set(ours) <= allowed, f"{name_of(path)} imports {sorted(set(ours) - allowed)}"


@pytest.mark.parametrize("layer", ["solvers", "_driver.py", "_problem.py", "callbacks", "rules"])
def test_solvers_the_driver_and_the_problem_know_no_rows(layer):
    strangers = re.compile(r"^(scipy\.sparse|dask|pandas|polars|skgd\.objectives)\b")
    for path in SOURCES:
        if name_of(path) == layer or name_of(path).startswith(f"{layer}/"):
            assert not [i for i in imports(path) if strangers.match(i)]


def test_only_the_driver_loops_over_steps():
    stepping = {name_of(p) for p in SOURCES for c in calls(p) if c.endswith("solver.step")}
    # partial_fit does one step, and repeats it where it exploded; a step of `smoothing` is one
    # of the solver of its smooth problem; one of a working set some on its columns.
    inner = {"solvers/_narrowing.py", "solvers/_working_set.py"}
    assert stepping == {"_driver.py", "_stream.py"} | inner


@pytest.mark.parametrize("path", KERNELS, ids=name_of)
def test_kernels_never_take_the_gil_back_and_bring_no_runtime(path):
    text = path.read_text(encoding="utf-8")
    assert "with gil" not in text
    assert "prange" not in text
    assert "omp.h" not in text
    assert not re.search(r"#pragma omp (?!simd)", text)
    assert not re.search(r"\b(rand|srand|printf)\s*\(", text)


@pytest.mark.parametrize("path", [*SOURCES, *KERNELS], ids=name_of)
def test_files_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


@pytest.mark.parametrize("path", sorted((PROJECT / "tests").glob("*.py")), ids=lambda p: p.name)
def test_test_files_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


# ---- what must be said ----

REFERENCE = PROJECT / "docs" / "api"
NAMES = sorted(
    {
        *get_solver_names(),
        *get_loss_names("classification"),
        *get_loss_names("regression"),
        *get_schedule_names(),
        *(name for name in PENALTIES if isinstance(name, str)),
    }
)
CLASSES = sorted(
    {
        cls.__name__
        for registry in (SOLVERS, RULES, LOSSES, PENALTIES, SCHEDULES)
        for cls in registry.values()
    }
)


@pytest.mark.parametrize("name", [*NAMES, *CLASSES])
def test_every_entry_of_a_registry_is_in_the_reference(name):
    text = "\n".join(p.read_text(encoding="utf-8") for p in sorted(REFERENCE.rglob("*.md")))
    assert f'`"{name}"`' in text or re.search(rf"`(\w+\.)*{name}(\(.*?\))?`", text)


@every_source
def test_every_module_begins_with_a_sentence_and_says_what_it_exports(path):
    doc = ast.get_docstring(tree(path))
    assert doc
    assert doc.splitlines()[0].endswith((".", "?"))
    if path.name != "_doc.py":
        assert "__all__" in path.read_text(encoding="utf-8")


def public_modules():
    found = ["skgd"]
    for info in pkgutil.walk_packages(skgd.__path__, "skgd."):
        if not any(part.startswith("_") for part in info.name.split(".")):
            found.append(info.name)
    return found


def public_objects():
    """Return dotted names of public classes, functions and their own public methods."""
    found = set()
    for module in public_modules():
        for name in import_module(module).__all__:
            thing = getattr(import_module(module), name)
            if not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue
            if not thing.__module__.startswith("skgd"):
                continue
            found.add(f"{module}.{name}")
            if inspect.isclass(thing):
                found |= {f"{module}.{name}.{method}" for method in own_methods(thing)}
    return sorted(found)


def own_methods(cls):
    """Return public methods that a class of ours defines, and documents itself."""
    for name, member in vars(cls).items():
        function = getattr(member, "fn", member)  # as available_if wraps it
        if name.startswith("_") or not inspect.isfunction(inspect.unwrap(function)):
            continue
        inherited = [b for b in cls.__mro__[1:] if name in vars(b)]
        # An override does what the base class says; its docstring need not be repeated.
        if not inherited or function.__doc__:
            yield name


# What a reader of the page would miss. Left out: rules on wording, on the order of sections
# and on sections that not every object needs (Examples, See Also, Returns of setters).
CHECKS = {
    *("GL01", "GL02", "GL03", "GL05", "GL06", "GL07", "GL08", "GL09", "GL10"),
    *("SS01", "SS02", "SS03", "SS04", "SS06"),
    *("PR01", "PR02", "PR03", "PR04", "PR05", "PR06", "PR07", "PR10"),
    *("RT01", "RT03", "RT04"),
    *("YD01",),
}
# A one-line docstring beside an obvious signature needs no table of parameters.
SHORT = {"PR01", "RT01", "GL01", "GL02", "GL03"}


@pytest.mark.parametrize("name", public_objects())
def test_public_docstrings_pass_numpydoc(name):
    validate = pytest.importorskip("numpydoc.validate").validate
    report = validate(name)
    thing = import_module("skgd")
    for part in name.split(".")[1:]:
        thing = getattr(thing, part)
    doc = inspect.getdoc(thing) or ""
    excused = SHORT if doc and "\n" not in doc.strip() and "." in name.split(".", 2)[-1] else ()
    errors = [e for e in report["errors"] if e[0] in CHECKS and e[0] not in excused]
    assert not errors


@pytest.mark.parametrize("name", [*NAMES])
def test_every_name_is_documented_with_the_estimator_that_takes_it(name):
    text = skgd.GDClassifier.__doc__ + skgd.GDRegressor.__doc__
    if not re.search(rf"\b{name}\b", text):
        assert "get_solver_names" in text or name not in SOLVERS
        assert "get_loss_names" in text or name not in LOSSES
        assert "get_schedule_names" in text or name not in SCHEDULES


@pytest.mark.parametrize("cls", [skgd.GDClassifier, skgd.GDRegressor])
def test_every_parameter_and_fitted_attribute_is_documented(cls, rows, target):
    est = cls(solver="sgd", max_iter=2, tol=None).fit(rows(40, 3), target(rows(40, 3), "binary"))
    attributes = [a for a in vars(est) if a.endswith("_") and not a.startswith("_")]
    for name in [*est.get_params(), *attributes]:
        assert re.search(rf"^ *([\w, ]+, )?{name}(, [\w, ]+)? : ", cls.__doc__, re.M), name


def test_sources_without_kernels_say_what_to_do(tmp_path):
    ignored = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(ROOT, tmp_path / "skgd", ignore=ignored)
    run = [sys.executable, "-c", "import skgd"]
    found = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "run it from another folder, or install with pip install -e ." in found.stderr
