import hashlib

from alearn import rng


def test_a_seed_is_the_hash_of_what_it_is_for():
    expected = int(hashlib.sha256(b"7/3/fit").hexdigest()[:16], 16) // 2
    assert rng.derive(7, 3, "fit") == expected
    assert 0 <= expected < 2**63


def test_purposes_do_not_share_draws():
    seeds = {rng.derive(seed, number, what) for seed in range(5) for number in range(5) for what in ("fit", "split")}
    assert len(seeds) == 50
    assert rng.generator(1, "a").random() == rng.generator(1, "a").random() != rng.generator(1, "b").random()
