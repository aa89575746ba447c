import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode

from alearn.config import hydra_front
from alearn.config.presets import CONF
from alearn.config.search_space import Interval, Options, Space
from alearn.errors import AlearnError
from alearn.sweep.hydra_callback import probes


def space(*overrides: str) -> Space:
    """Return the space of `alearn -m hydra/sweeper=optuna OVERRIDES`."""
    return composed(hydra_front.space, "hydra/sweeper=optuna", *overrides)


def composed(use, *overrides: str):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return use(loader.load_configuration("config", list(overrides), RunMode.MULTIRUN))


@pytest.mark.parametrize(
    ("sweep", "dimension"),
    [
        ("interval(0.5,2)", Interval(0.5, 2.0, log=False, whole=False)),
        ("int(interval(2,9))", Interval(2, 9, log=False, whole=True)),
        ("tag(log,interval(0.01,1))", Interval(0.01, 1.0, log=True, whole=False)),
        ("0.999,0.9,0.99", Options(("0.9", "0.99", "0.999"), ordered=True)),
        ("choice(1e-5,0.5,0.5)", Options(("1e-05", "0.5"), ordered=True)),
        ("range(1,8,3)", Options(("1", "4", "7"), ordered=True)),
        ("range(0.5,0,-0.25)", Options(("0.25", "0.5"), ordered=True)),
        ("choice(true,false)", Options(("True", "False"), ordered=False)),
        ("choice(one,2)", Options(("one", "2"), ordered=False)),
    ],
)
def test_sweep_syntax_becomes_a_dimension(sweep, dimension):
    assert space(f"seed={sweep}").dimensions == {"seed": dimension}
    if not isinstance(dimension, Options):
        assert space(f"seed={dimension}").dimensions == {"seed": dimension}, "it is shown as it is typed"


def test_the_command_line_adds_to_the_params_and_replaces_them():
    overrides = [
        "experiment=search",
        "policy.threshold=0.9",
        "policy.hand_fraction=0.1,0.2",
        "model.width=2,4",
        "seed=1",
    ]
    search = composed(hydra_front.space, *overrides)
    assert list(search.dimensions) == ["policy.init_fraction", "policy.hand_fraction", "model.width"]
    assert search.dimensions["policy.hand_fraction"] == Options(("0.1", "0.2"), ordered=True)
    assert set(search.fixed) == {"experiment=search", "policy.threshold=0.9", "seed=1"}
    assert search.job({"model.width": "2"}) == [*search.fixed, "model.width=2"]


def test_probes_visit_every_end_and_every_option_without_order():
    search = Space(
        {
            "a": Interval(0.5, 2.0, log=True, whole=False),
            "b": Options(("1", "2", "3"), ordered=True),
            "c": Options(("x", "y", "z"), ordered=False),
        },
        ("f=0",),
    )
    assert search.probes() == [
        ["f=0", "a=0.5", "b=1", "c=x"],
        ["f=0", "a=2.0", "b=1", "c=x"],
        ["f=0", "a=0.5", "b=3", "c=x"],
        ["f=0", "a=0.5", "b=1", "c=y"],
        ["f=0", "a=0.5", "b=1", "c=z"],
    ]


def test_only_a_search_is_probed():
    assert composed(probes, "experiment=mnist_trials") == []
    assert len(composed(probes, "experiment=search")) == 4
    with pytest.raises(AlearnError, match=r"hydra.sweeper.n_jobs=0: must be greater than or equal to 1"):
        composed(probes, "experiment=search", "hydra.sweeper.n_jobs=0")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=1", "nothing to choose"),
        ("seed=interval(2,2)", "seed=interval.2,2.: an interval goes from a finite number to a greater one"),
        ("seed=interval(0,inf)", "finite"),
        ("seed=tag(log,interval(0,1))", "starts above 0"),
        ("seed=tag(lgo,interval(1,2))", "the one tag is log"),
        ("seed=tag(log,choice(1,2))", "the one tag is log, for intervals"),
        ("seed=range(3,3)", "there is no value in it"),
        ("seed=range(0,3,0)", r"seed=range\(0,3,0\): range"),
    ],
)
def test_bad_space_is_one_message(override, message):
    with pytest.raises(AlearnError, match=message):
        space(override)


def test_bounds_that_are_no_numbers_are_hydras_to_refuse():
    with pytest.raises(HydraException, match=r"interval\(low,1\)"):
        composed(hydra_front.space, "hydra/sweeper=optuna", "hydra.sweeper.params={seed:'interval(low,1)'}")
