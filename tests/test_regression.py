"""The check of speed calls slower what is slower by a share and by a time."""

import importlib.util
import json
from pathlib import Path

import pytest

PATH = Path(__file__).parents[1] / "benchmarks" / "regression.py"

pytestmark = pytest.mark.skipif(not PATH.exists(), reason="the scripts are not here")


@pytest.fixture(scope="module")
def regression():
    spec = importlib.util.spec_from_file_location("regression", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "ours, theirs, recorded, slower",
    [
        (1.0, 2.0, 0.5, False),
        (1.29, 2.0, 0.5, False),  # by less than the share
        (1.31, 2.0, 0.5, True),
        (0.02, 0.002, 1.0, False),  # by less than the time
        (0.03, 0.002, 1.0, True),
        (0.5, 4.0, 0.5, False),  # faster
        (1.3, 1.0, 1.0, False),  # the peer is slow today as well
    ],
)
def test_slower_is_by_a_share_and_by_a_time(regression, ours, theirs, recorded, slower):
    assert regression.is_slower(ours, theirs, recorded) is slower


def test_every_piece_of_work_has_a_ratio(regression):
    known = json.loads(PATH.with_suffix(".json").read_text(encoding="utf-8"))
    assert set(known) == {name for name, _, _ in regression.work()}
    assert all(0 < ratio < 10 for ratio in known.values())


def test_what_is_always_slower_fails_and_says_what(regression, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(regression, "work", lambda: [("one", None, None), ("two", None, None)])
    monkeypatch.setattr(
        regression, "measured", lambda *_: calls.append(0) or (1.0, 1.0 if len(calls) < 2 else 0.1)
    )
    monkeypatch.setattr(regression.json, "loads", lambda _: {"one": 1.0, "two": 1.0})
    monkeypatch.setattr("sys.argv", ["regression.py"])
    with pytest.raises(SystemExit, match="two"):
        regression.main()
    assert len(calls) == 1 + regression.ATTEMPTS
    assert "one" in capsys.readouterr().out
