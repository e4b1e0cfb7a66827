"""The examples run from any folder, quickly, and print what they promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path):
    def run(name):
        done = subprocess.run(
            [sys.executable, "-W", "error::RuntimeWarning", EXAMPLES / name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert not list(tmp_path.iterdir())  # nothing is left behind
        return done.stdout

    return run


def table(text, title):
    """Return the rows under a title as {first column: [other columns]}."""
    lines = text.split(title)[1].split("\n\n")[0].splitlines()[2:]
    return {line.split()[0]: line.split()[1:] for line in lines}


def test_quickstart_every_solver_beats_the_peer_on_raw_columns(run):
    text = run("quickstart.py")
    for title, peer in [("Breast cancer", "SGDClassifier"), ("Diabetes", "SGDRegressor")]:
        rows = table(text, title)
        F = {name: float(cells[0]) for name, cells in rows.items()}
        F_peer = F.pop(peer)
        assert len(F) >= 8
        assert max(F.values()) < F_peer
        # One objective, one optimum: nobody ends far above the best.
        assert max(F.values()) < 1.05 * min(F.values()) + 0.05


def test_pipeline_grid_search_finds_a_useful_model(run):
    text = run("pipeline_grid_search.py")
    assert "beta_2" in text
    assert float(re.search(r"unseen patients: ([\d.]+)", text)[1]) > 0.65


def test_streaming_accuracy_is_far_above_chance(run):
    lines = run("streaming.py").split("Progressive accuracy\n")[1].splitlines()
    names = lines[0].split()[1:]
    shares = [[float(cell.rstrip("%")) for cell in line.split()[1:]] for line in lines[1:]]
    assert len(shares) == 17
    last = dict(zip(names, shares[-1], strict=True))
    assert last["sgd"] > 90
    assert last["adam"] > 80


def test_choosing_alpha_finds_columns_that_are_real(run):
    text = run("choosing_alpha.py")
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


def test_checkpoints_goes_on_with_the_same_bits(run):
    shown = run("checkpoints.py")
    assert "the same bits as in one go: True" in shown
    assert "after 40 iterations" in shown


def test_out_of_core_foresees_better_as_it_learns(run):
    shown = run("out_of_core.py")
    lines = [line.split() for line in shown.splitlines() if re.match(r" +\d+ +\d\.\d+ ", line)]
    assert len(lines) == 6
    assert float(lines[-1][1]) < 0.6
    assert float(re.search(r"held out (0\.\d+)", shown)[1]) > 0.7


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("plot_*.py")))
def test_the_gallery_runs(name, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    done = subprocess.run(
        [sys.executable, EXAMPLES / name], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert not list(tmp_path.iterdir())
