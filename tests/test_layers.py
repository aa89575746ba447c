"""The house rules of ARCHITECTURE.md, read off the imports."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import alearn

ROOT = Path(alearn.__file__).parent
LAYERS = [  # a module may import from its own room and from the rooms of lower layers
    {"__init__", "errors", "rng", "values"},
    {"registry"},
    {"ledger"},
    {"files"},
    {"journal", "config"},
    {"data"},
    {"models"},
    {"oracle", "learn", "policy"},
    {"audit"},
    {"loop"},
    {"trial"},
    {"report", "export"},
    {"sweep"},
    {"api"},
    {"cli"},
    {"__main__"},
]
LAYER = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}
FILES = sorted(ROOT.rglob("*.py"))


class AtRunTime(ast.NodeTransformer):
    """Leaves out what only the type checker reads."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if getattr(node.test, "id", "") == "TYPE_CHECKING":
            return node.orelse
        return self.generic_visit(node)


def imports(path: Path) -> set[str]:
    """All modules that a file imports at run time."""
    found = set()
    for node in ast.walk(AtRunTime().visit(ast.parse(path.read_text()))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part(module: str) -> str:
    """`alearn.trial.row` is in the room "trial"; the plugin is on top, as the command is."""
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
            assert LAYER[other] < LAYER[own] or other == own, f"{name(path)} imports {module}"


def test_every_room_has_a_layer():
    rooms = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in FILES}
    assert rooms - {"plugins"} <= set(LAYER)


HOMES = {  # of a library: modules, or rooms whose modules may all know it
    "csv": {"alearn.audit.verify", "alearn.files.csv_tables"},  # verify.py stands alone
    "hydra": {
        "alearn.cli.features_command",
        "alearn.cli.run_command",
        "alearn.config.hydra_front",
        "alearn.sweep.hydra_callback",
        "hydra_plugins.alearn_conf",
        "hydra_plugins.alearn_search",
    },
    "huggingface_hub": {"alearn.models.weight_files"},
    "jinja2": {"alearn.report.html.page"},
    "matplotlib": {"alearn.report.html.curves", "alearn.sweep.tradeoff"},
    "optuna": {"alearn.sweep.search_study"},
    "PIL": {
        "alearn.data.decode",
        "alearn.data.example_files",
        "alearn.report.html.thumbnails",
        "alearn.report.pictures",
    },
    "fsspec": {"alearn.data.file_store"},
    "pyarrow": {"alearn.files.parquet_tables"},
    "pydantic": {"alearn.config", "alearn.models", "alearn.oracle"},
    "ray": {"alearn.trial.ray_blocks"},
    "rich": {"alearn.data.progress_bar", "alearn.report.console", "alearn.sweep.sweep_progress"},
    "sqlalchemy": {"alearn.sweep.search_study"},
    "sqlite3": {"alearn.data.row_store", "alearn.oracle.store"},
    "tensorboard": {"alearn.report.tensorboard", "alearn.sweep.bands"},
    "timm": {"alearn.models.pretrained", "alearn.models.weights"},
    "torch.utils.tensorboard": {"alearn.report.tensorboard.event_file"},
    "torchvision": {"alearn.data.mnist_mirror", "alearn.data.standard", "alearn.models.torchvision_zoo"},
    "waitress": {"alearn.oracle.web.channel"},
    "werkzeug": {"alearn.oracle.web"},
}


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_known_in_one_place(library):
    def knows(path: Path, library: str) -> bool:
        return any(f"{module}.".startswith(f"{library}.") for module in imports(path))

    users = {name(path) for path in FILES if knows(path, library)}
    at_home = {home: {user for user in users if f"{user}.".startswith(f"{home}.")} for home in HOMES[library]}
    assert users == set.union(*at_home.values())
    assert [home for home, inside in at_home.items() if not inside] == []


def test_policies_see_neither_data_nor_files_nor_models():
    """They compute with scores wherever they lie, so they know tensors; networks and their training they do not."""
    bad = ("alearn.data", "alearn.learn", "alearn.files", "alearn.models", "torch.nn.Module", "torch.nn.modules")
    for path in (ROOT / "policy").glob("*.py"):
        assert [m for m in imports(path) if m.startswith((*bad, "torch.optim", "torchvision", "time", "os"))] == []


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
        "alearn.oracle.context",
        "alearn.oracle.noisy",
        "alearn.oracle.truth",
        "alearn.trial.measure",
    }
    handing_on = {
        "alearn.trial.folder_journal",
        "alearn.report.tensorboard.projector",
        "alearn.report.tensorboard.event_file",
    } | {
        "alearn.report.html.trial_page",
        "alearn.report.trial_report",
        "alearn.data.example_files",
    }
    assert readers <= allowed | handing_on, "the latter pass it to measure, and show what measure finds"


def test_no_two_modules_share_a_name():
    stems = Counter(path.stem for path in FILES if not path.stem.startswith("__"))
    assert [stem for stem, count in stems.items() if count > 1] == []


def test_files_stay_short():
    long = {path.name for path in FILES if len(path.read_text().splitlines()) > 300}
    assert long == {"verify.py"}, "which is copied as it is"


def test_the_command_line_starts_without_torch():
    code = "import sys, alearn.__main__, hydra_plugins.alearn_search; "  # Hydra imports its plugins at start
    code += "print([m for m in ('torch', 'timm', 'tensorboard', 'numpy', 'optuna') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_trial_starts_without_what_only_its_report_needs():
    code = "import sys, alearn.trial.run; print([m for m in ('matplotlib', 'jinja2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
