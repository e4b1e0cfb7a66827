"""The defaults run as they did when their traces were last written down."""

import json

import numpy as np
import pytest
from make_golden import GOLDEN, estimators, trace
from numpy.testing import assert_allclose

CASES = {name: (est, kind) for name, est, kind in estimators()}


def test_every_case_has_a_trace_and_every_trace_a_case():
    assert {p.stem for p in GOLDEN.glob("*.json")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_the_trace_is_the_golden_one(name):
    # If the change is meant: python tests/make_golden.py. The tolerance is that of
    # processors and of libraries, which round differently: where columns are far from zero, a
    # hundredth of what the optimum leaves open in coefficients.
    golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    found = trace(*CASES[name])
    assert found.keys() == golden.keys()
    value = np.array(golden["value"])
    # Once F no longer falls, rounding chooses the lengths of steps.
    fell = np.append(True, np.abs(np.diff(value)) > 1e-9 * np.abs(value[1:]))
    found["rate"], golden["rate"] = (np.array(one["rate"])[fell] for one in (found, golden))
    if name == "softmax":  # which an equal shift of all intercepts does not change
        for one in (found, golden):
            one["intercept"] = one["intercept"] - np.mean(one["intercept"])
    for key, numbers in golden.items():
        assert_allclose(found[key], numbers, rtol=2e-5, atol=1e-9, err_msg=key)
