"""What the README and the guide show can be run as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page, language):
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.M | re.S)


def snippets():
    for page in PAGES:
        for number, code in enumerate(blocks(page, "python")):
            yield pytest.param(code, id=f"{page.relative_to(ROOT)}-{number}")


@pytest.mark.parametrize("code", list(snippets()))
def test_python_block_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # The file that the streaming page reads.
    lines = [f"{i % 7},{i % 3},{'yes' if i % 2 else 'no'}" for i in range(50)]
    Path("events.csv").write_text("\n".join(["a,b,label", *lines]))
    exec(compile(code, "block", "exec"), {"__name__": "block"})


def test_readme_has_one_command_to_run_and_one_to_test():
    commands = [block.strip() for block in blocks(ROOT / "README.md", "bash")]
    assert len(commands) == 2
    assert commands[0].endswith("python examples/quickstart.py")
    assert re.search(r"\bpytest\b", commands[1])


def test_ci_runs_the_test_command_of_the_readme():
    command = blocks(ROOT / "README.md", "bash")[1].strip()
    assert command in (ROOT / ".ci" / "run").read_text()
