"""Replace the auto values for images whose answer is known: handwriting, and stand-ins for photographs.

No weights are looked for: the fixture `weights` says which there are.
"""

import numpy as np
import pytest
import torch
from PIL import Image

from alearn.config import Auto, AutoTrain, Finetune, Head, Train
from alearn.data import choose, decode, standard
from alearn.errors import AlearnError
from alearn.learn.device import Runtime
from alearn.models import build
from alearn.trial import resume, settle
from alearn.trial.settle import Settled

WORDS = ("data=folder", "policy=own")


def written(digits: np.ndarray, random, ink: tuple[int, int, int] = (30, 40, 140)) -> list[np.ndarray]:
    """Return digits [n, 28, 28] as if they were written on paper and photographed: n arrays, uint8 [56, 56, 3]."""
    share = np.kron(digits, np.ones((1, 2, 2)))[..., None] / 255
    paper = np.array([245, 238, 220]) + random.normal(0, 8, (len(digits), 1, 1, 3))
    light = 1 + 0.25 * random.uniform(-1, 1, (len(digits), 1, 1, 1)) * np.linspace(0, 1, 56)[:, None]
    noise = random.normal(0, 4, (len(digits), 56, 56, 1))
    return list(((paper * (1 - share) + np.array(ink) * share) * light + noise).clip(0, 255).astype(np.uint8))


def things(random, count: int) -> np.ndarray:
    """Return images of discs anywhere, lit from above, uint8 [count, 48, 64, 3]. Their mirror images are as likely."""
    rows, columns = np.mgrid[:48, :64]
    found = np.empty((count, 48, 64, 3), np.uint8)
    for at in range(count):
        image = np.full((48, 64, 3), random.integers(60, 200, 3)) - rows[:, :, None]
        for _ in range(4):
            y, x, radius = random.integers(48), random.integers(64), random.integers(4, 14)
            image[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = random.integers(0, 256, 3)
        found[at] = (image + random.normal(0, 6, image.shape)).clip(0, 255)
    return found


def put(root, images, suffix: str = "png") -> None:
    root.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(root / f"{number:04}.{suffix}")


CPU, GPU = Runtime(torch.device("cpu"), bf16=False), Runtime(torch.device("cuda", 0), bf16=True)


def of(config, runtime: Runtime = GPU) -> Settled:
    return settle.settle(config.data, config.model, config.train, config.policy, runtime)


def settled(config, root, *words, runtime: Runtime = GPU) -> Settled:
    return of(config(*WORDS, f"data.root='{root}'", *words), runtime)


DINO = "vit_small_patch14_dinov2.lvd142m"


@pytest.fixture
def weights(monkeypatch) -> set[str]:
    """Let the weights of some networks be here, and no others. Return the names, which a test may change."""
    here = {"tf_efficientnet_lite0", DINO}

    def found(model):
        if model.network != "pretrained":
            return model, []
        if model.name not in here:
            raise AlearnError(f"model.name={model.name}: no weights here")
        return model.model_copy(update={"sha256": "0" * 64, "license": "mit"}), [f"weights: {model.name}"]

    monkeypatch.setattr(build, "settle", found)
    return here


@pytest.fixture
def without(weights) -> None:
    """Let no weights be here."""
    weights.clear()


def test_photographs_get_a_pretrained_network_and_a_head(config, tmp_path, weights):
    put(tmp_path, things(np.random.default_rng(0), 200), "jpg")
    found = settled(config, tmp_path)
    assert (found.data.size, found.data.channels, found.data.augment) == (224, 3, "objects")
    assert (found.model.name, found.model.sha256, found.model.license) == (DINO, "0" * 64, "mit")
    assert (found.train, found.policy.pace) == (Head(), "seconds")
    assert found.notes == [
        "data.layout=unlabeled: images lie in the folder itself, so no folder is taken as a class",
        "data.channels=3: 200 of 200 sampled images have colour",
        "data.augment=objects: most images are photographs in colour; mirror images are made. "
        "If mirroring changes the class of an image, as it does with text, set data.augment=numbers",
        f"model=pretrained model.name={DINO}: it has learned from photographs",
        f"weights: {DINO}",
        "data.size=224: the network has learned from images of about this size",
    ]
    assert settled(config, tmp_path) == found, "the same files give the same values"


def test_the_machine_decides_on_the_network_and_on_the_size(config, tmp_path, weights):
    put(tmp_path, things(np.random.default_rng(0), 12))
    for runtime, name, size in (
        (GPU, DINO, 224),
        (CPU, "tf_efficientnet_lite0", 128),
        (Runtime(torch.device("cpu"), bf16=True), "tf_efficientnet_lite0", 224),
    ):
        found = settled(config, tmp_path, runtime=runtime)
        assert (found.model.name, found.data.size) == (name, size)


def test_without_the_weights_for_a_gpu_those_for_a_cpu_are_tried_and_the_notes_say_so(config, tmp_path, weights):
    put(tmp_path, things(np.random.default_rng(0), 12))
    weights.remove(DINO)
    found = settled(config, tmp_path)
    assert (found.model.name, found.train) == ("tf_efficientnet_lite0", Head())
    missing = f"model=pretrained model.name={DINO} is not available: model.name={DINO}: no weights here"
    assert found.notes[3:6] == [
        missing,
        "model=pretrained model.name=tf_efficientnet_lite0: it has learned from photographs",
        "weights: tf_efficientnet_lite0",
    ]
    weights.clear()
    found = settled(config, tmp_path)
    assert found.model == config(*WORDS).model.large
    assert found.notes[3:6] == [
        missing,
        "model=pretrained model.name=tf_efficientnet_lite0 is not available: model.name=tf_efficientnet_lite0: "
        "no weights here",
        "model=small_cnn model.width=32: the images are more than 40 pixels a side",
    ]


def test_without_weights_a_network_is_trained_from_scratch(config, tmp_path, without):
    put(tmp_path, things(np.random.default_rng(0), 12))
    found = settled(config, tmp_path)
    composed = config(*WORDS)
    assert (found.data.size, found.model) == (64, composed.model.large)
    assert found.train == composed.train.network.model_copy(update={"augment": "objects"})
    assert found.policy.pace == "minutes"
    assert found.notes[-1] == "data.size=64: the images are 64 x 48 in the median"
    slow = settled(config, tmp_path, runtime=CPU)
    assert (slow.data.size, slow.model) == (48, composed.model.small)
    assert slow.notes[-2:] == [
        "model=small_cnn model.width=16: there is no GPU",
        "data.size=48: the images are 64 x 48 in the median, and there is no GPU",
    ]


def test_what_is_named_wins(config, tmp_path, weights):
    put(tmp_path, things(np.random.default_rng(0), 12))
    found = settled(config, tmp_path, "train=frugal")
    assert (found.model, found.train.name) == (config(*WORDS).model.large, "frugal")
    assert (found.train.augment, found.policy.pace) == ("objects", "minutes")
    assert not any("pretrained" in note for note in found.notes), "weights are of no use, and are not looked for"
    found = settled(config, tmp_path, "model=resnet")
    assert (found.model.name, found.train.name, found.data.size) == ("resnet", "quick", 64)
    found = settled(config, tmp_path, "model=pretrained", "train=frugal", "policy.pace=seconds")
    assert (found.model.name, found.model.license) == ("tf_efficientnet_lite0", "mit")
    assert (found.train.name, found.train.augment, found.policy.pace) == ("frugal", "objects", "seconds")
    found = settled(config, tmp_path, "model=pretrained", "data.size=96", "policy.pace=minutes")
    assert (found.train, found.data.size, found.policy.pace) == (Head(), 96, "minutes")
    assert found.notes[-1] == "weights: tf_efficientnet_lite0"


@pytest.mark.parametrize("recipe", [Head(), Finetune()], ids=["head", "finetune"])
def test_a_head_and_fine_tuning_need_a_pretrained_network(config, tmp_path, weights, recipe):
    train = f"train={recipe.name}"
    put(tmp_path, [np.zeros((20, 20), np.uint8)] * 3)
    found = settled(config, tmp_path, train, runtime=CPU)
    assert found.model.name == "tf_efficientnet_lite0", "whatever the images are"
    assert getattr(found.train, "lr", 0.0005) == 0.0005, "not that of model=auto"
    assert found.policy.pace == ("seconds" if recipe.name == "head" else "minutes")
    with pytest.raises(
        AlearnError, match=rf"^{train}: .*, and model=resnet model.width=[0-9]+ is none; give model=pret"
    ):
        settled(config, tmp_path, train, "model=resnet")
    with pytest.raises(AlearnError, match=rf"^{train}: .*, and the model is none; give model=pretrained, or train=fr"):
        settle.recipe(recipe, None)
    weights.clear()
    with pytest.raises(AlearnError) as error:
        settled(config, tmp_path, train)
    assert str(error.value).splitlines() == [
        f"{train}: model=pretrained model.name={name} is not available: model.name={name}: no weights here"
        for name in (DINO, "tf_efficientnet_lite0")
    ]


@pytest.mark.parametrize(
    ("total", "quick", "slow"),
    [(15, (15, 25, 15), (15, 10, 15)), (600, (20, 25, 100), (30, 30, 150)), (2500, (20, 25, 250), (100, 125, 600)),
     (50_000, (20, 25, 1000), (100, 138, 652))],
)  # fmt: skip
def test_the_pace_gives_the_numbers(config, total, quick, slow):
    policy = config("policy=own").policy
    for train, expected in ((Head(), quick), (Train(), slow)):
        paced = settle.paced(policy, train)
        assert (paced.init_size(total), paced.round_size(total), paced.budget(total)) == expected
    given = config("policy=own", "policy.init_count=7", "policy.hand_per_round=8", "policy.hand_budget=90").policy
    paced = settle.paced(given, Head())
    assert (paced.init_size(total), paced.round_size(total), paced.budget(total)) == (7, 8, 90)
    audited = config("policy=own", "policy.finish=audit", "policy.audit.target_error=0.01").policy
    assert settle.paced(audited, Head()).budget(total) is None


@pytest.mark.parametrize("there", [set(), {"tf_efficientnet_lite0"}, {"tf_efficientnet_lite0", DINO}])
def test_a_trial_that_goes_on_keeps_what_was_chosen(config, tmp_path, weights, there):
    """Later there are other weights, another machine, and other images in the folder."""
    put(tmp_path / "images", things(np.random.default_rng(0), 12))
    composed = config(*WORDS, f"data.root='{tmp_path}/images'")
    weights.intersection_update(there)
    before = of(composed)
    (tmp_path / "config.yaml").write_text(composed.model_copy(update=before.sections()).yaml())
    weights.update({"tf_efficientnet_lite0", DINO})
    put(tmp_path / "images", np.zeros((20, 8, 8), np.uint8))
    for again in (composed, config(*WORDS, f"data.root='{tmp_path}/images'", f"train={before.train.name}")):
        assert of(resume.as_before(again, tmp_path), CPU).sections() == before.sections()
    other = resume.as_before(config(*WORDS, f"data.root='{tmp_path}/images'", "model=resnet"), tmp_path)
    assert other.model.name == "resnet", "what is named wins"


@pytest.fixture
def digits(mnist_root) -> np.ndarray:
    pool, _ = standard.mnist(mnist_root)
    return pool.images[:300, 0].numpy()


def test_handwriting_is_line_drawn(config, tmp_path, digits, weights):
    put(tmp_path, [np.stack([image] * 3, 2) for image in digits], "jpg")  # grey pixels in files with three channels
    found = settled(config, tmp_path)
    assert (found.data.size, found.data.channels, found.data.augment) == (28, 1, "digits")
    assert found.model == config(*WORDS).model.small
    assert found.notes[2:] == [
        "data.augment=digits: the images are line-drawn, like handwriting; no mirror images are made",
        "model=small_cnn model.width=16: the images are line-drawn",
        "data.size=28: the images are 28 x 28 in the median",
    ]


def test_handwriting_in_blue_ink_is_not_mirrored_for_its_colour(config, tmp_path, digits, without):
    put(tmp_path, written(digits, np.random.default_rng(0)), "jpg")
    found = settled(config, tmp_path)
    assert (found.data.channels, found.data.augment) == (3, "digits")
    assert found.model == config(*WORDS).model.small


def test_grey_photographs_are_not_mirrored(config, tmp_path, without):
    grey = things(np.random.default_rng(0), 60)[:, :, :, 0]
    put(tmp_path, grey)
    found = settled(config, tmp_path)
    assert (found.data.channels, found.data.augment) == (1, "numbers")
    assert (
        "data.augment=numbers: most images are grey; no mirror images are made (data.augment=objects " in found.notes[2]
    )
    Image.new("RGB", (64, 48), "red").save(tmp_path / "red.png")
    found = settled(config, tmp_path)
    assert (found.data.channels, found.data.augment) == (3, "numbers"), "one image in colour makes no photographs"


def test_few_photographs_are_mirrored(config, tmp_path, without):
    put(tmp_path, things(np.random.default_rng(0), 12))
    assert settled(config, tmp_path).data.augment == "objects"


@pytest.mark.parametrize("side", ["left", "right"])
def test_light_from_one_side_does_not_forbid_mirroring(config, tmp_path, side, without):
    """In a series of photographs, the light often comes from one side, which says nothing about the classes."""
    light = np.linspace(60, -60, 64)[None, None, :, None]
    images = things(np.random.default_rng(0), 120) + (light if side == "left" else -light)
    put(tmp_path, images.clip(0, 255).astype(np.uint8))
    assert settled(config, tmp_path).data.augment == "objects"


def test_one_image_in_colour_is_enough_and_small_sizes_are_kept(config, tmp_path, without):
    grey = np.random.default_rng(0).integers(256, size=(20, 17, 30), dtype=np.uint8)
    put(tmp_path, grey)
    found = settled(config, tmp_path)
    assert (found.data.size, found.data.channels) == (32, 1), "the longer side, up to a multiple of 4"
    assert "model=small_cnn model.width=16: the images are small and grey" in found.notes
    assert "data.channels=1: no sampled image has colour" in found.notes
    colour = np.stack([grey[0]] * 3, 2)
    colour[:6, :6] = (255, 0, 0)
    put(tmp_path, [colour])
    found = settled(config, tmp_path)
    assert found.data.channels == 3
    assert "data.channels=3: 1 of 20 sampled images has colour" in found.notes


def test_tiny_images_get_the_least_size_that_there_is(config, tmp_path, without):
    put(tmp_path, [np.zeros((3, 2), np.uint8)] * 3)
    assert settled(config, tmp_path).data.size == 8


def test_what_is_given_is_left_alone_and_unread(config, tmp_path, weights, monkeypatch):
    def never(*args):
        raise AssertionError("a file was read")

    put(tmp_path / "a", things(np.random.default_rng(0), 4))
    monkeypatch.setattr(decode, "header", never)
    monkeypatch.setattr(decode, "decoded", never)
    words = ("data.size=48", "data.channels=3", "data.augment=clothes")
    given = config(
        *WORDS,
        f"data.root='{tmp_path}'",
        *words,
        "data.layout=classes",
        "train=frugal",
        "model=resnet",
        "policy.pace=minutes",
    )
    train = given.train.model_copy(update={"augment": "clothes"})
    assert of(given) == Settled(given.data, given.model, train, given.policy, [])
    found = settled(config, tmp_path, *words)
    assert not isinstance(found.model, Auto)
    assert not isinstance(found.train, AutoTrain)
    assert found.notes[0].startswith("data.layout=classes: 1 folder is taken as a class: a; if")
    given = config()
    assert of(given) == Settled(given.data, given.model, given.train, given.policy, [])


def test_known_data_sets_need_no_look(config, weights):
    networks = config("model=auto").model
    scratch = of(config("model=auto", "data=cifar10"))
    assert scratch.model == networks.large
    assert scratch.notes == ["model=small_cnn model.width=32: the images are in colour"]
    found = of(config("model=auto", "train=auto", "data=cifar10"), CPU)
    assert (found.model.name, found.train) == ("tf_efficientnet_lite0", Head())
    for name in ("mnist", "fashion_mnist", "kmnist"):
        assert of(config("model=auto", "train=auto", f"data={name}")).model == networks.small


def test_auto_is_for_folders(config):
    with pytest.raises(AlearnError, match=r"data\.augment=auto: is for data=folder; leave it out for data=mnist"):
        of(config("data.augment=auto"))


def test_what_is_no_image_is_left_out_of_the_sample(config, tmp_path, without):
    put(tmp_path, things(np.random.default_rng(0), 3))
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text("no image")
    assert "data.channels=3: 3 of 3 sampled images have colour" in settled(config, tmp_path).notes
    for path in tmp_path.glob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(
        AlearnError, match=rf"data\.root={tmp_path}: holds no images .*; 13 files were skipped: 0\.txt is"
    ):
        settled(config, tmp_path)


def test_a_sample_is_spread_over_all_files(monkeypatch):
    assert choose._evenly(range(10), 4) == [0, 3, 6, 9]
    assert choose._evenly("abc", 4) == ["a", "b", "c"]
