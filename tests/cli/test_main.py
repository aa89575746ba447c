"""The command alearn: its help, its subcommands, and what it imports for each."""

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from alearn import cli
from alearn.cli.main import SUBCOMMANDS
from tests.command import ROOT, alearn

NONE_HEAVY = {"alearn", "numpy"}
"""The packages that may be imported besides the standard library."""


def test_each_command_module_is_a_subcommand():
    modules = {path.stem.removesuffix("_command") for path in Path(cli.__path__[0]).glob("*_command.py")}
    assert modules - {"run"} == set(SUBCOMMANDS), "only run_command has no subcommand"


def test_there_is_one_command():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"alearn": "alearn.cli.main:main"}


@pytest.fixture(scope="module")
def help_page() -> str:
    code, out, err = alearn("--help")
    assert (code, err) == (0, "")
    return out


def test_the_help_page_has_a_line_for_each_subcommand_and_the_exit_codes(help_page):
    assert set(re.findall(r"^ +alearn (\w+) .*  +\w", help_page, re.MULTILINE)) == set(SUBCOMMANDS)
    for code in ("0", "1", "2", "3", "130", "143"):
        assert re.search(rf"^ +{code} +\w", help_page, re.MULTILINE)
    assert "init_fraction: " in help_page, "the config"
    assert alearn("help").out == help_page


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_each_subcommand_has_help_for_each_option(name):
    code, out, err = alearn(name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: alearn {name} ")
    assert alearn("help", name).out == out
    for action in import_module(f"alearn.cli.{name}_command").parser()._actions:
        assert action.help, action.dest


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["exprot", "x"], "exprot: there is no such command; did you mean alearn export?"),
        (["alearn-table", "x"], "alearn-table: there is no such command"),
        (["swim"], "swim: there is no such command; alearn --help lists all commands"),
        (["help", "swim"], "swim: there is no such command; alearn --help lists all commands"),
        (["plan", "--item", "9"], "the following arguments are required: --items, --target-error; alearn plan --help"),
        (["verify"], "the following arguments are required: DIR; alearn verify --help lists the options"),
        (["verify", "a", "b"], "unrecognized arguments: b; alearn verify --help lists the options"),
    ],
)
def test_a_wrong_command_line_is_one_message_and_code_2(args, message):
    code, out, err = alearn(*args)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1


def imported(code: str) -> set[str]:
    """Return the packages that some code imports, without those of the standard library."""
    code = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    names = set(done.stdout.splitlines()[-1].split())
    return {name for name in names - set(sys.stdlib_module_names) if not name.startswith("_") and "cython" not in name}


def test_options_can_be_read_without_torch_and_without_hydra():
    code = "import contextlib, io\nfrom alearn.cli.main import main\n"
    code += "with contextlib.redirect_stdout(io.StringIO()):\n"
    for name in SUBCOMMANDS:
        code += f"    with contextlib.suppress(SystemExit): main([{name!r}, '--help'])\n"
    assert not imported(code) & {"torch", "hydra", "pandas", "matplotlib", "tensorboard"}


def test_a_plan_and_a_check_of_a_certificate_need_numpy_alone(tmp_path):
    code = "from alearn.cli.main import main\n"
    assert imported(f"{code}main(['verify', {str(tmp_path)!r}])") <= NONE_HEAVY
    assert imported(f"{code}main(['plan', '--items', '1000', '--target-error', '0.1'])") <= NONE_HEAVY
    assert imported("import alearn.audit.verify") <= NONE_HEAVY


def test_only_the_module_of_the_subcommand_is_imported():
    code = "from alearn.cli.main import main\nmain(['plan', '--items', '1000', '--target-error', '0.1'])\n"
    code += "print([name for name in sys.modules if name.endswith('_command')])"
    done = subprocess.run([sys.executable, "-c", f"import sys\n{code}"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['alearn.cli.plan_command']"


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["nowhere"], 1, "NOT VALID: nowhere/certificate.json: cannot be read (No such file or directory)"),
        ([], 2, "verify.py: error: the following arguments are required: DIR"),
    ],
)
def test_a_certificate_is_checked_without_the_command(args, code, message):
    command = [sys.executable, "-m", "alearn.audit.verify", *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr.splitlines()[-1]) == (code, "", message)
