import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from alearn.config import flatten, hydra_front, load, parse
from alearn.config.presets import CONF
from alearn.config.renamed import RENAMED, refuse_old_overrides
from alearn.errors import AlearnError

KEYS = [name for name in RENAMED if "=" not in name]


def message(old: str) -> str:
    return f"{old}: is {RENAMED[old]} now"


@pytest.mark.parametrize("old", KEYS)
def test_the_old_key_is_gone_and_the_new_one_is_there(config, old):
    keys = flatten(config().model_dump())
    assert old not in keys
    assert RENAMED[old] in keys


@pytest.mark.parametrize("old", KEYS)
@pytest.mark.parametrize("form", ["{}=1", "+{}=1", "++{}=1", "{}=1,2", "{}=interval(1,2)", "{}=null", "~{}"])
def test_an_old_override_gives_the_new_name(old, form):
    with pytest.raises(AlearnError) as error:
        refuse_old_overrides(["-m", "seed=1", form.format(old), form.format(old)])
    assert str(error.value) == message(old), "once"


@pytest.mark.parametrize("name", ["frugal", "margin", "random", "ceal", "ablation/longer"])
@pytest.mark.parametrize("form", ["trial={}", "+trial={}", "trial=t1,{}", "trial=choice(t1,{})", "trial={},t2"])
def test_an_old_preset_gives_the_new_name(name, form):
    with pytest.raises(AlearnError) as error:
        refuse_old_overrides([form.format(name)])
    assert str(error.value) == f"trial={name}: is policy={name} now"
    assert hydra_front.compose(f"policy={name}").policy.name == name.removeprefix("ablation/")


def test_new_overrides_pass():
    refuse_old_overrides(["trial=t1,t2", "trial.name=frugal", "policy=margin,ablation/longer"])
    refuse_old_overrides([f"{new}=1" for new in map(RENAMED.get, KEYS)])
    refuse_old_overrides(
        ["policy.query={strategy: margin, pool: 2}", "-m", "--cfg", "job", "hydra.run.dir=policy.query"]
    )


@pytest.mark.parametrize("old", KEYS)
@pytest.mark.parametrize("value", ["x", None])
def test_an_old_key_in_a_file_gives_the_new_name(config, old, value):
    tree = OmegaConf.create(config().model_dump())
    OmegaConf.update(tree, old, value, merge=False, force_add=True)
    with pytest.raises(AlearnError) as error:
        parse(tree)
    assert str(error.value) == message(old)


def test_the_config_of_an_older_version_names_all_its_old_keys(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("policy: {query: margin, permanent: false, audit_cut: null}\nseed: 0\n")
    with pytest.raises(AlearnError) as error:
        load(path)
    lines = [message(key) for key in ("policy.query", "policy.permanent", "policy.audit_cut")]
    assert str(error.value).splitlines() == [f"{path} is no config of this version:", *lines]


@pytest.mark.parametrize("read", [hydra_front.jobs, hydra_front.space])
def test_an_old_key_in_the_params_of_a_sweep_gives_the_new_name(read, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\nhydra: {sweeper: {params: {policy.query: 'margin,badge'}}}\n"
    )
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = [f"hydra.searchpath=[{tmp_path}]", "experiment=mine"]
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("config", overrides, RunMode.MULTIRUN)
        with pytest.raises(AlearnError) as error:
            read(config)
    assert str(error.value) == message("policy.query")
