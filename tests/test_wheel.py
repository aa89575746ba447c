"""What is installed: the wheel, away from this checkout."""

import subprocess
import sys
import zipfile

import pytest

from alearn.config.presets import CONF
from alearn.report.html.page import TEMPLATES
from tests.command import ROOT

pytestmark = pytest.mark.slow


def test_the_wheel_carries_the_configs_and_works_from_any_folder(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    for module, words, part in (
        ("alearn", ["trial=t2", "--cfg", "job"], "init_fraction: 0.05"),
        ("alearn", ["table", "--help"], "usage: alearn table"),
        ("alearn.audit.verify", ["nowhere"], "NOT VALID"),
        ("alearn", ["--info", "plugins"], "OptunaSweeper"),
    ):
        code = f"import runpy, sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); sys.argv = ['alearn', *{words!r}]; "
        code += f"runpy.run_module({module!r}, run_name='__main__')"
        done = subprocess.run(
            [sys.executable, "-I", "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert part in done.stdout + done.stderr
    names = zipfile.ZipFile(wheel).namelist()
    plugins = [f"hydra_plugins/{name}.py" for name in ("alearn_conf", "alearn_search")]
    assert sorted(n for n in names if n.startswith("hydra_plugins/")) == plugins, "a namespace"
    assert {str(path.relative_to(ROOT)) for path in CONF.rglob("*.yaml")} == {
        n[7:] for n in names if n.startswith("alearn/conf/")
    }
    assert {f"alearn/report/html/templates/{path.name}" for path in TEMPLATES.iterdir()} <= set(names)
