"""Races of skgd beside its peers.

python -m benchmarks --list
python -m benchmarks --only logistic --data adult_raw --sets PATH
python -m benchmarks --only lasso ridge --data diabetes made_up_300000x100 --out results
python -m benchmarks --check
"""

import argparse
import os
import warnings
from pathlib import Path

import numpy as np

from skgd.solvers import get_solver_names

from . import data, race, regression
from .figure import draw
from .peers import PEERS, missing
from .problems import PROBLEMS

# What else is measured, each a module of its own: python -m benchmarks.NAME.
MEASURES = {
    "defaults": "the table of the README",
    "grid_search": "48 fits of a search",
    "growth": "seconds of a pass as rows double",
    "paths": "a path of 20 strengths beside 20 fits",
    "rate_free": "six descents without a rate",
    "rates": "how far every solver gets in 20 passes",
    "readme_figure": "the figure of the README",
    "regression": "speed beside scikit-learn, as it was (--check)",
    "replicas": "dual ascent on parts of the rows, by threads",
    "small_doses": "a call of partial_fit, by rows a call",
    "speed": "one pass, one evaluation of F, a small fit, extra memory",
    "stream_files": "rows a second from files, and memory",
    "streams": "progressive loss of partial_fit",
    "trust": "whether untouched defaults reach the optimum, and say so",
}


def listing(folder):
    """Return what there is, as text."""
    lines = ["problems (--only)"]
    for problem in PROBLEMS.values():
        lines.append(f"  {problem.name:16s} {problem.task}, alpha {problem.alpha:g}")
    lines.append("data (--data)" + ("" if folder else "; more with --sets PATH"))
    lines += [f"  {name}" for name in data.names(folder)]
    lines.append("peers (--peers)")
    lines += [f"  {name:22s} {missing(name) or ''}".rstrip() for name in PEERS]
    lines.append("other measures (python -m benchmarks.NAME)")
    lines += [f"  {name:16s} {text}" for name, text in MEASURES.items()]
    return "\n".join(lines)


def table(name, times):
    """Return a line for each eps: auto, the best of skgd, the best peer, and the ratios."""
    for eps, found in times.items():
        auto = found.get(("skgd", "auto"))
        best, peer = race.fastest(found, True), race.fastest(found, False)
        show = lambda pair: f"{' '.join(pair[0]):<32}{pair[1]:>9.4f}" if pair else f"{'-':<41}"  # noqa: E731
        ratio = peer[1] / auto if peer and auto else (np.inf if auto else 0.0)
        alone = f"{auto:>9.4f}" if auto else f"{'-':>9}"
        yield ratio, f"{name:<44}{eps:>7.0e}{alone}  {show(best)}  {show(peer)}{ratio:>8.2f}"


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    default = os.environ.get("SKGD_SETS")
    parser.add_argument("--list", action="store_true", help="print what there is, and end")
    parser.add_argument("--check", action="store_true", help="hold the speed to recorded ratios")
    parser.add_argument("--only", nargs="+", choices=PROBLEMS, metavar="PROBLEM")
    parser.add_argument("--data", nargs="+", default=["breast_cancer", "digits", "diabetes"])
    parser.add_argument("--sets", default=default, help="folder with load.py; or SKGD_SETS")
    parser.add_argument("--forms", nargs="+", choices=["raw", "standardised"],
                        default=["raw", "standardised"])  # fmt: skip
    parser.add_argument("--solvers", nargs="+", choices=get_solver_names(), default=["auto"])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--alpha", type=float, help="in place of the problem's own")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=20.0, help="seconds of a ladder")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on made-up rows")
    parser.add_argument("--out", default="benchmark_results", help="folder for CSV and figures")
    parser.add_argument("--no-figures", action="store_true")
    options = parser.parse_args(arguments)
    if options.list:
        print(listing(options.sets))
        return 0
    if options.check:
        return regression.main([])
    unknown = [name for name in options.data if name not in data.names(options.sets)]
    if unknown:
        parser.error(f"--data: not found: {', '.join(unknown)} (--list shows what there is)")
    warnings.simplefilter("ignore")  # capped runs are meant, and peers overflow on raw columns
    np.seterr(all="ignore")
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    head = f"{'problem, data':<44}{'eps':>7}{'auto s':>9}  {'best of skgd':<32}{'s':>9}  "
    print(head + f"{'best peer':<32}{'s':>9}{'/ auto':>8}")
    ratios, told = {eps: [] for eps in race.EPS}, set()

    def say(line):
        if line not in told:
            told.add(line)
            print(f"  {line}", flush=True)

    for name in options.data:
        for form in options.forms:
            X, y, task = data.find(name, options.sets, form, options.scale)
            for problem in PROBLEMS.values():
                if (options.only and problem.name not in options.only) or not problem.fits(y, task):
                    continue
                alpha = options.alpha or problem.alpha
                how = {"limit": options.limit, "repeats": options.repeats, "say": say}
                how |= {"solvers": options.solvers, "libraries": options.peers}
                rungs, least = race.race(problem, X, y, alpha, **how)
                title = f"{problem.name}, {name} {form}"
                for (ratio, line), eps in zip(
                    table(title, race.times_to(rungs, least)), race.EPS, strict=True
                ):
                    print(line, flush=True)
                    ratios[eps].append(ratio)
                race.write(out / "races.csv", problem, name, form, X, alpha, rungs, least,
                           options.repeats)  # fmt: skip
                if not options.no_figures:
                    picture = out / f"{problem.name}-{name}-{form}.png"
                    shape = f"{X.shape[0]} x {X.shape[1]}, alpha {alpha:g}"
                    draw(picture, f"{title}: {shape}", rungs, least)
    for eps, found in ratios.items():
        both = np.array([r for r in found if 0 < r < np.inf])
        mean = np.exp(np.log(both).mean()) if len(both) else np.nan
        ahead, alone, behind = (
            sum(test(r) for r in found)
            for test in (lambda r: r > 1, lambda r: r == np.inf, lambda r: r == 0)
        )
        print(
            f"to {eps:.0e}: best peer / auto, geometric mean {mean:.2f} of {len(both)}; ahead on "
            f"{ahead} of {len(found)}, reached alone {alone}, not reached {behind}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
