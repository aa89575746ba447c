"""Registries, with packages of others that are modules in a temporary folder."""

import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

import alearn.models
from alearn import registry
from alearn.errors import AlearnError
from alearn.registry import MODELS, Registry


@dataclass(frozen=True)
class Recorded:
    run: object
    size: int = 1


def made(home: str = "alearn.errors") -> Registry:
    """A registry whose home registers nothing."""
    return Registry(Recorded, asked="a.key=", group="alearn.tests", home=home)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that writes a module of somebody else's and announces names in it."""
    monkeypatch.syspath_prepend(tmp_path)
    points = []
    monkeypatch.setattr(registry, "_entry_points", lambda group: tuple(points))

    def write(module: str, text: str, *names: str) -> None:
        (tmp_path / f"{module}.py").write_text(text)
        for name in names:
            point = EntryPoint(name, module, "alearn.tests")
            points.append(point._for(SimpleNamespace(name=f"{module}-package", version="1.2")))

    yield write
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_what_is_registered_comes_back_with_its_details():
    kind = made()

    @kind.register("plain")
    def plain():
        """Stays what it is."""

    big = kind.register("big", size=7)(lambda: None)
    assert plain.__doc__ == "Stays what it is."
    assert kind.get("plain") == Recorded(plain)
    assert kind.get("big") == Recorded(big, 7)
    assert kind.names() == ["big", "plain"]
    assert "big" in kind
    assert "small" not in kind


def test_an_unknown_name_is_told_with_all_names_and_the_nearest():
    kind = made()
    kind.register("margin")(len)
    kind.register("random")(abs)
    for name, guess in (("margn", "; did you mean margin?"), ("xyz", "")):
        with pytest.raises(AlearnError) as error:
            kind.get(name)
        assert str(error.value) == f"a.key={name}: must be one of margin, random{guess}"


def test_a_name_belongs_to_one_implementation():
    kind = made()
    kind.register("mine")(len)
    with pytest.raises(AlearnError, match=r"^a\.key=mine: builtins\.len has this name; builtins\.abs must have"):
        kind.register("mine")(abs)
    assert kind.get("mine").run is len


def test_a_cell_of_a_notebook_can_be_run_again():
    kind = made()

    def cell(size: int):
        @kind.register("mine", size)
        def mine():
            pass

    cell(1)
    cell(2)
    assert kind.get("mine").size == 2


def test_other_packages_are_imported_once_they_are_asked_for(package, monkeypatch):
    kind = made()
    monkeypatch.setattr(registry, "KIND", kind, raising=False)
    text = "from alearn.registry import KIND\n@KIND.register({!r}, 3)\ndef mine(): pass\n"
    package("theirs", text.format("theirs"), "theirs")
    package("others", text.format("others"), "others")
    assert kind.names() == ["others", "theirs"]
    assert not {"theirs", "others"} & sys.modules.keys()
    assert kind.get("theirs").size == 3
    assert "others" not in sys.modules


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("x = = 1", "SyntaxError: invalid syntax"),
        (
            "from alearn.registry import KIND\nKIND.register('theirs')(len)\n1 / 0",
            "ZeroDivisionError: division by zero",
        ),
    ],
)
def test_a_package_that_cannot_be_imported_is_named(package, monkeypatch, text, message):
    kind = made()
    monkeypatch.setattr(registry, "KIND", kind, raising=False)
    package("theirs", text, "theirs")
    for _ in range(2):  # each job of a sweep is told the same
        with pytest.raises(AlearnError) as error:
            kind.get("theirs")
        start = f"a.key=theirs: theirs-package 1.2 registers it in theirs, which cannot be imported ({message}"
        assert str(error.value).startswith(start)
        assert str(error.value).endswith("; python -c 'import theirs' shows where it fails")


def test_a_package_that_does_not_register_what_it_announces_is_named(package):
    package("theirs", "", "theirs")
    with pytest.raises(AlearnError, match=r"theirs-package 1\.2 .* registers no implementation as 'theirs'"):
        made().get("theirs")


def test_no_package_takes_a_name_from_another(package):
    package("theirs", "", "mine", "resnet")
    package("others", "", "mine")
    with pytest.raises(AlearnError, match=r"^a\.key=mine: theirs-package 1\.2 and others-package 1\.2 have this name"):
        made().get("mine")
    with pytest.raises(AlearnError, match=r"^model\.name=resnet: alearn and theirs-package 1\.2 have this name"):
        MODELS.get("resnet")


def test_a_network_is_a_file_in_the_folder(tmp_path, monkeypatch):
    (tmp_path / "tiny.py").write_text(
        "from torch import nn\n"
        "from alearn.config import Model\n"
        "from alearn.models.classifier import Classifier\n"
        "from alearn.registry import register_model\n"
        "class Tiny(Model):\n"
        "    width: int\n"
        "@register_model('tiny', Tiny)\n"
        "def tiny(config, shape, classes):\n"
        "    body = nn.Sequential(nn.Flatten(), nn.LazyLinear(config.width))\n"
        "    return Classifier(body, config.width, classes)\n"
    )
    monkeypatch.setattr(alearn.models, "__path__", [*alearn.models.__path__, str(tmp_path)])
    monkeypatch.setattr(alearn.models.__spec__, "submodule_search_locations", alearn.models.__path__)
    for name in ("_records", "_origins", "_own"):
        monkeypatch.setattr(MODELS, name, dict(getattr(MODELS, name)))
    monkeypatch.delattr(MODELS, "_own")
    assert "tiny" in MODELS.names()
    assert MODELS.get("tiny").config.__name__ == "Tiny"
    del sys.modules["alearn.models.tiny"]


@pytest.mark.parametrize("kind", ["MODELS", "QUERIES", "AUTO_RULES", "ORACLES", "EXPORTERS"])
def test_the_names_that_the_source_announces_are_those_that_its_import_registers(kind):
    found = getattr(registry, kind)
    assert set(found.own()) == {name for name, origin in found._origins.items() if origin.startswith("alearn.")}


@pytest.mark.slow
def test_a_config_is_checked_without_torch_until_it_names_a_network():
    code = (
        "import sys, alearn.config\n"
        "from alearn.registry import MODELS\n"
        "before = 'torch' in sys.modules\n"
        "MODELS.get('small_cnn')\n"
        "print(before, 'torch' in sys.modules, sorted(m for m in sys.modules if m.startswith('alearn.models.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = "['alearn.models.classifier', 'alearn.models.layers', 'alearn.models.small_cnn']"
    assert done.stdout.strip() == f"False True {modules}"
