"""A mistake on the command line is one message, before anything starts."""

import pytest

from tests.command import alearn

FILE_IN_THE_WAY = "hydra.run.dir=/dev/null/x"
BAD = {
    "policy.treshold=0.9": "policy.treshold: there is no such key; did you mean policy.threshold?",
    "policy=own train.steps=9": "train.steps: the chosen train has no such key; give train=NAME, too",
    "+policy.more=1": "policy.more: there is no such key",
    "trial=t9": "Could not find 'trial/t9'",
    "policy.threshold=1.5": "policy.threshold=1.5: must be less than or equal to 1",
    "policy.threshold=0": "policy.threshold=0: must be greater than 0",
    "policy.hand_fraction=-0.1": "policy.hand_fraction=-0.1: must be greater than 0",
    "policy.hand_fraction=0.000001": "policy.hand_fraction=1e-06: is less than one of the 60000 images",
    "policy.init_fraction=[1": "no viable alternative at input",
    "seed=one": "seed=one: must be a valid integer",
    "resume=/nowhere/at/all": "resume=/nowhere/at/all: there is no such folder",
    "resume=/tmp": "that folder holds no trial",
    FILE_IN_THE_WAY: "/dev/null/x: this output folder cannot be written",
    "policy.audit.seed=": "policy.audit.seed: the seed is empty",
    "policy.audit.seed=''": "policy.audit.seed: the seed is empty",
    "policy.audit.seed=2025_11": "policy.audit.seed=2025_11: would be read as 202511; to take a seed as it is written, "
    "quote it for Hydra and for the shell: policy.audit.seed=\"'2025_11'\"\n",
    "policy.audit.seed=+5": "would be read as 5; ",
    "+policy.audit.seed=1e3": "would be read as 1000.0; ",
    "policy.audit.seed=5.10": "would be read as 5.1; ",
    "policy.audit.seed=true": "would be read as True; ",
    "-m policy.audit.seed=7,1e3": "would be read as 1000.0; ",
    "-m policy.audit.seed=7,,": "mismatched input",
    "-m policy.finish=audit policy.audit.target_error=0.01 policy.audit.seed=wait": "policy.audit.seed=wait: a sweep "
    "waits for nobody",
    "-m policy.threshold=0.9,2,3": "job 1 (policy.threshold=2): policy.threshold=2: must be less than or equal to 1",
    "-m policy.treshold=0.9,1": "policy.treshold: there is no such key; did you mean policy.threshold?",
    "policy.query=margin policy.query.pool=2": "policy.query: is policy.query.strategy now",
    "-m policy.audit_scope=class,auto seed=1,2": "error: policy.audit_scope: is policy.audit.scope now\n",
    "trial=margin": "error: trial=margin: is policy=margin now\n",
    "-m trial=t1,ablation/longer": "error: trial=ablation/longer: is policy=ablation/longer now\n",
    "-m hydra.sweep.dir=/dev/null/x": "/dev/null/x: this output folder cannot be written",
    "-m experiment=search policy.threshold=interval(0.5,1.5)": "policy.threshold=1.5: must be less than or equal to 1",
    "model=torchvision model.name=resnet81": "model.name=resnet81: torchvision has no classification network of",
    "model=pretrained model.name=resnet81": "model.name=resnet81: timm has no network of that name; did you mean",
    "model=pretrained model.weights=/nowhere.pth": "model.weights=/nowhere.pth: /nowhere.pth: there is no such file",
    "model=pretrained model.views=3": "model.views=3: must be 1 or 2",
    "model=small_cnn model.name=vgg11": "model.name=vgg11: must be one of auto, linear, pretrained, resnet, small_cnn",
    "data=folder": "data.root=???: there is no such folder; give the folder of your images",
    "data=folder data.root=/nowhere": "data.root=/nowhere: there is no such folder; give the folder of your images",
    "-m data.imbalance.factor=10,0.1": "data.imbalance.factor=0.1: must be greater than or equal to 1",
    "experiment=mnist_trials": "this experiment is a sweep: run it with -m, or set seed and trial for one trial of it",
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_one_message_before_anything_starts(words, tmp_path):
    code, out, err = alearn(*words.split(), cwd=tmp_path)
    assert code == 1
    assert BAD[words] in err
    assert err.startswith("error: ")
    assert "Traceback" not in out + err
    assert "round" not in out
    assert not list(tmp_path.iterdir()), "nothing was written"


def test_damaged_data_and_a_missing_gpu_are_one_message(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images", "t10k-images"):
        (raw / f"{name}-idx3-ubyte").write_bytes(b"damaged")
    for name in ("train-labels", "t10k-labels"):
        (raw / f"{name}-idx1-ubyte").write_bytes(b"damaged")
    code, _, err = alearn(f"data.root={tmp_path}", f"hydra.run.dir={tmp_path / 'out'}")
    assert code == 1
    assert "train-images-idx3-ubyte is damaged" in err
    assert "Traceback" not in err
