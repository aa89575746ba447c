"""The house rules of ARCHITECTURE.md, read off the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import alearn

ROOT = Path(alearn.__file__).parent
LAYER = {  # a module may import from its own package and from lower layers
    "__init__": 0, "errors": 0, "rng": 0, "config": 1, "events": 1, "ledger": 1,
    "data": 2, "oracle": 3, "learn": 3, "decide": 3, "audited": 4, "trial": 5, "record": 6, "run": 7, "search": 7,
    "certify": 7, "predict": 7, "export": 8, "worker": 8, "__main__": 9,
}  # fmt: skip
FILES = sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """All modules that a file imports at run time."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part(module: str) -> str:
    """`alearn.trial.row` is of the part "record", the plugin is on top as the command is."""
    pieces = module.split(".")
    if pieces[0] == "hydra_plugins":
        return "__main__"
    return pieces[1] if len(pieces) > 1 and pieces[1] in LAYER else "__init__"


def name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removeprefix("alearn.plugins.")


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_go_down(path):
    own = part(name(path))
    for module in imports(path):
        if module.startswith("alearn"):
            other = part(module)
            allowed = LAYER[other] < LAYER[own] or other == own or (LAYER[own] == LAYER[other] == 1)
            checks = path.name == "sweep.py" and other in (
                "run",
                "search",
            )  # Hydra's callback checks what these would do
            assert allowed or checks, f"{name(path)} imports {module}"


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        (
            "hydra",
            {
                "alearn.__main__",
                "alearn.sweep.hydra_callback",
                "alearn.sweep.search_space",
                "hydra_plugins.alearn_search",
            },
        ),
        ("optuna", {"alearn.sweep.search_study"}),
        ("sqlalchemy", {"alearn.sweep.search_study"}),
        (
            "tensorboard",
            {f"alearn.report.tensorboard.{name}" for name in ("bands", "hparams", "layout", "projector", "sink")},
        ),
        ("torch.utils.tensorboard", {"alearn.report.tensorboard.event_file"}),
        (
            "pydantic",
            {
                f"alearn.config.{name}"
                for name in ("config", "data", "model", "others", "parse", "policy", "section", "train")
            },
        ),
        ("rich", {"alearn.data.progress_bar", "alearn.report.console", "alearn.sweep.sweep_progress"}),
        ("jinja2", {"alearn.report.html.page"}),
        ("matplotlib", {"alearn.report.html.curves", "alearn.sweep.tradeoff"}),
        (
            "PIL",
            {
                "alearn.data.decode",
                "alearn.data.example_files",
                "alearn.report.pictures",
                "alearn.report.html.thumbnails",
            },
        ),
        ("werkzeug", {"alearn.oracle.web.app", "alearn.oracle.web.form", "alearn.oracle.web.guard"}),
        ("waitress", {"alearn.oracle.web.channel"}),
        ("sqlite3", {"alearn.data.image_cache", "alearn.oracle.store"}),
        ("pyarrow", {"alearn.export.parquet"}),
        ("torchvision", {"alearn.data.mnist_mirror", "alearn.data.standard", "alearn.models.zoo"}),
    ],
)
def test_a_library_is_known_in_one_place(library, homes):
    users = {name(path) for path in FILES if any(f"{module}.".startswith(f"{library}.") for module in imports(path))}
    assert users == homes


def test_decide_sees_neither_data_nor_records_nor_models():
    """It computes with scores wherever they lie, so it knows tensors; networks and their training it does not."""
    bad = ("alearn.data", "alearn.learn", "alearn.record", "torch.nn.Module", "torch.nn.modules", "torch.optim")
    for path in (ROOT / "decide").glob("*.py"):
        assert not [m for m in imports(path) if m.startswith((*bad, "torchvision", "time", "os"))]


def test_only_the_oracle_and_the_measuring_code_read_the_truth():
    readers = {
        name(path)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "truth" and isinstance(node.ctx, ast.Load)
    }
    allowed = {
        "alearn.data.imageset",
        "alearn.data.imbalance",
        "alearn.oracle.__init__",
        "alearn.oracle.truth",
        "alearn.trial.measure",
    }
    handing_on = {"alearn.trial.run", "alearn.report.tensorboard.projector", "alearn.report.tensorboard.event_file"} | {
        "alearn.report.html.trial_page",
        "alearn.report.trial_report",
        "alearn.data.example_files",
    }
    assert readers <= allowed | handing_on, "the latter pass it to measure, and show what measure finds"


def test_files_stay_short():
    assert {path.name: lines for path in FILES if (lines := len(path.read_text().splitlines())) > 300} == {}


def test_the_command_line_starts_without_torch():
    code = "import sys, alearn.__main__, hydra_plugins.alearn_search; "  # Hydra imports its plugins at start
    code += "print([m for m in ('torch', 'tensorboard', 'numpy', 'optuna') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_trial_starts_without_what_only_its_report_needs():
    code = "import sys, alearn.trial.run; print([m for m in ('matplotlib', 'jinja2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
