"""The examples run from any folder, quickly, and print what they promise."""

import os
import re
import runpy
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import skgd

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path):
    def run(name, env=None):
        done = subprocess.run(
            [sys.executable, "-W", "error::RuntimeWarning", EXAMPLES / name],
            cwd=tmp_path,
            env=None if env is None else {**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert not list(tmp_path.iterdir())  # nothing is left behind
        return done.stdout

    return run


@pytest.fixture
def run_plain(run, tmp_path_factory):
    """Runs an example where matplotlib cannot be imported."""
    hiding = tmp_path_factory.mktemp("hiding")
    (hiding / "matplotlib.py").write_text("raise ImportError")
    package = Path(skgd.__file__).resolve().parents[1]
    return lambda name: run(name, {"PYTHONPATH": f"{hiding}{os.pathsep}{package}"})


def table(text, title):
    """Return the rows under a title as {first column: [other columns]}."""
    lines = text.split(title)[1].split("\n\n")[0].splitlines()[2:]
    return {line.split()[0]: line.split()[1:] for line in lines}


def test_quickstart_every_solver_beats_the_peer_on_raw_columns(run_plain):
    text = run_plain("quickstart.py")
    for title, peer in [("Breast cancer", "SGDClassifier"), ("Diabetes", "SGDRegressor")]:
        rows = table(text, title)
        F = {name: float(cells[0]) for name, cells in rows.items()}
        F_peer = F.pop(peer)
        assert len(F) >= 8
        assert max(F.values()) < F_peer
        # One objective, one optimum: nobody ends far above the best.
        assert max(F.values()) < 1.05 * min(F.values()) + 0.05


def test_pipeline_grid_search_finds_a_useful_model(run_plain):
    text = run_plain("pipeline_grid_search.py")
    assert "beta_2" in text
    assert float(re.search(r"unseen patients: ([\d.]+)", text)[1]) > 0.65


def test_streaming_accuracy_is_far_above_chance(run_plain):
    lines = run_plain("streaming.py").split("Progressive accuracy\n")[1].splitlines()
    names = lines[0].split()[1:]
    shares = [[float(cell.rstrip("%")) for cell in line.split()[1:]] for line in lines[1:]]
    assert len(shares) == 17
    last = dict(zip(names, shares[-1], strict=True))
    assert last["sgd"] > 90
    assert last["adam"] > 80


def test_choosing_alpha_finds_columns_that_are_real(run_plain):
    text = run_plain("choosing_alpha.py")
    path = table(text, "Lasso path")
    columns = [int(cells[0]) for cells in path.values()]
    assert columns[0] == 0
    assert columns == sorted(columns)
    assert all(float(cells[-1]) <= 1e-4 for cells in path.values())
    rows = [line.split() for line in text.split("Chosen by 5 folds\n")[1].splitlines()[1:]]
    assert len(rows) == 4
    chosen = {(row[0], row[1]): (int(row[4]), int(row[5])) for row in rows}
    few, real = chosen["l1", "one_standard_error"]
    assert real >= 3
    assert few - real <= 2
    assert few < chosen["l1", "best"][0]


def test_checkpoints_goes_on_with_the_same_bits(run_plain):
    shown = run_plain("checkpoints.py")
    assert "the same bits as in one go: True" in shown
    assert "after 40 iterations" in shown


def test_out_of_core_foresees_better_as_it_learns(run_plain):
    shown = run_plain("out_of_core.py")
    lines = [line.split() for line in shown.splitlines() if re.match(r" +\d+ +\d\.\d+ ", line)]
    assert len(lines) == 6
    assert float(lines[-1][1]) < 0.6
    assert float(re.search(r"held out (0\.\d+)", shown)[1]) > 0.7


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_every_example_draws_a_figure(name, tmp_path, monkeypatch, capfd):
    matplotlib = pytest.importorskip("matplotlib")
    from matplotlib import pyplot as plt

    monkeypatch.chdir(tmp_path)
    # Here and not in a process of its own, whose imports would take longer than most examples.
    with matplotlib.rc_context(), warnings.catch_warnings():
        plt.switch_backend("Agg")
        plt.close("all")
        # As Python's own filters, but that what they would show is an error.
        warnings.simplefilter("error")
        for one in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", one)
        warnings.filterwarnings("error", category=DeprecationWarning, module="__main__")
        begin = time.perf_counter()
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        assert time.perf_counter() - begin < 120.0
        assert plt.get_fignums()
        plt.close("all")
    assert "Warning" not in capfd.readouterr().err  # of other processes too
    assert not list(tmp_path.iterdir())


ON_FUNCTIONS = [
    "rates_small_right_large.py",
    "momentum_in_a_valley.py",
    "saddle_and_noise.py",
    "local_minima_restarts.py",
    "grid_search_of_a_function.py",
]


@pytest.mark.parametrize("name", ON_FUNCTIONS)
def test_examples_on_functions_begin_with_a_title(name):
    lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
    assert lines[0] == '"""'
    assert lines[2] == "=" * len(lines[1])


def test_rates_too_small_right_and_too_large_differ(run_plain):
    text = run_plain("rates_small_right_large.py").splitlines()
    last = {" ".join(re.findall("[a-z]+", line[:17])): float(line[24:38]) for line in text[1:5]}
    assert last["right"] < 1e-5 < last["too small"] < last["too large"]


def test_momentum_takes_fewer_steps_in_a_valley(run_plain):
    text = run_plain("momentum_in_a_valley.py")
    steps = {line[:17].strip(): int(line[17:23]) for line in text.splitlines()[1:]}
    assert steps["heavy ball"] < steps["gradient descent"] / 4
    assert steps["LBFGS()"] < steps["heavy ball"]


def test_noise_leaves_the_saddle_the_sooner_the_larger_it_is(run_plain):
    rows = [line.split() for line in run_plain("saddle_and_noise.py").splitlines()[-4:]]
    assert rows[0][1] == "never"
    left = [int(row[1]) for row in rows[1:]]
    assert left == sorted(left, reverse=True)


def test_restarts_find_all_minima_and_fail_where_they_are_many(run_plain):
    text = run_plain("local_minima_restarts.py")
    shares = [int(share) for share in re.findall(r"(\d+)% of the starts", text)]
    assert len(shares) == 4
    assert min(shares) > 10
    best = [[float(v) for v in line.split()] for line in text.splitlines()[-3:]]
    assert best[0][3] < 0.1
    assert best[2][3] > 1.0


def test_a_grid_costs_more_with_every_dimension(run_plain):
    lines = run_plain("grid_search_of_a_function.py").splitlines()
    grid = [int(c) for c in lines[-3].split()[-5:]]
    descent = [int(c) for c in lines[-1].split()[-5:]]
    assert grid == [11, 121, 1331, 14641, 161051]
    assert descent[-1] < 500
