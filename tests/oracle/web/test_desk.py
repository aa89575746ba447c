import numpy as np
import pytest
import torch

from alearn.oracle.web.alike import Looks
from alearn.oracle.web.desk import SEATS, SILENT, Desk


def next_ones(index, among, count):
    """Look-alikes are those with the nearest number."""
    return sorted(among, key=lambda i: abs(i - index))[:count]


@pytest.fixture
def desk():
    made = Desk()
    made.begin(range(20), {})
    return made


def sit(desk, name, who=None, now=0.0, want=4, grid=False):
    seat = desk.seat(name, 1, who or name, True, now)
    desk.fill(seat, want, grid, next_ones, now)
    return seat


def test_images_come_in_their_order(desk):
    assert sit(desk, "a").queue == [0, 1, 2, 3]


def test_an_answered_image_is_gone_and_the_queue_fills_up(desk):
    seat = sit(desk, "a")
    desk.answered(seat, [0], 1.0)
    assert sit(desk, "a", now=1).queue == [1, 2, 3, 4]
    assert 0 not in desk.left


def test_nobody_gets_what_another_has(desk):
    one, two = sit(desk, "a"), sit(desk, "b")
    assert two.queue == [4, 5, 6, 7]
    for _ in range(8):
        for seat in (one, two):
            desk.answered(seat, seat.queue[:1], 1.0)
            desk.fill(seat, 4, False, next_ones, 1.0)
            assert not set(one.queue) & set(two.queue)
    assert len(desk.left) == 4


def test_near_the_end_everybody_has_something_to_do(desk):
    desk.begin(range(5), {})
    one = sit(desk, "a", want=8)
    assert one.queue == [0, 1, 2, 3, 4]
    two = sit(desk, "b", want=8)
    assert two.queue == [3, 4]
    assert one.queue == [0, 1, 2]
    desk.begin([7], {})
    assert sit(desk, "a").queue == [7]
    assert sit(desk, "b").queue == [], "what another sees is not taken away"


def test_what_a_grid_shows_is_not_taken_away(desk):
    desk.begin(range(6), {})
    assert sit(desk, "a", grid=True, want=6).queue == [0, 1, 2, 3, 4, 5]
    assert sit(desk, "b").queue == []


def test_a_silent_browser_loses_its_images_and_gets_others_when_it_is_back(desk):
    one = sit(desk, "a")
    two = sit(desk, "b", now=SILENT + 1)
    assert two.queue == [0, 1, 2, 3]
    assert one.queue == []
    assert sit(desk, "a", now=SILENT + 2).queue == [4, 5, 6, 7]


def test_a_word_now_and_then_keeps_the_images(desk):
    sit(desk, "a")
    desk.seat("a", 1, "a", True, SILENT - 1)
    assert sit(desk, "b", now=SILENT + 1).queue == [4, 5, 6, 7]


def test_who_leaves_gives_the_images_back(desk):
    one = sit(desk, "a")
    desk.leave(one)
    assert sit(desk, "b").queue == [0, 1, 2, 3]
    desk.fill(one, 4, False, next_ones, 0)
    assert one.queue == [], "it does not want any"


def test_a_skipped_image_comes_back_last_for_everyone(desk):
    desk.begin(range(4), {})
    seat = sit(desk, "a", want=2)
    desk.skip(seat, [0])
    desk.leave(seat)
    other = sit(desk, "b", want=4)
    assert other.queue == [1, 2, 3, 0]
    desk.skip(other, [1])
    desk.fill(other, 4, False, next_ones, 0)
    assert other.queue == [2, 3, 0, 1]


def test_undo_goes_back_several_steps_each_as_a_whole(desk):
    seat = sit(desk, "a")
    desk.answered(seat, [0], 1.0)
    desk.answered(seat, [1, 2], 2.0)
    desk.skip(seat, [3])
    desk.fill(seat, 4, False, next_ones, 2)
    assert desk.undo(seat) == ([3], [])
    assert desk.undo(seat) == ([1, 2], [1, 2])
    assert desk.undo(seat) == ([0], [0])
    assert desk.undo(seat) == ([], [])
    assert seat.queue[:4] == [0, 1, 2, 3]
    assert len(desk.left) == 20


def test_undo_is_of_the_own_answers(desk):
    one, two = sit(desk, "a"), sit(desk, "b")
    desk.answered(one, [0], 1.0)
    assert desk.undo(two) == ([], [])
    assert 0 not in desk.left


def test_a_skipped_image_that_another_has_stays_there(desk):
    desk.begin(range(2), {})
    one = sit(desk, "a", want=1)
    desk.skip(one, [0])
    desk.leave(one)
    assert sit(desk, "b", want=2).queue == [1, 0]
    assert desk.undo(one) == ([], [])


def test_undo_ends_with_the_batch(desk):
    seat = sit(desk, "a")
    desk.answered(seat, [0], 1.0)
    desk.begin(range(30, 40), {})
    assert desk.undo(seat) == ([], [])
    assert sit(desk, "a").queue == [30, 31, 32, 33]


def test_a_second_answer_is_somebody_elses_if_there_is_somebody_else(desk):
    desk.begin(range(4), {0: "Ann", 1: "Ann", 2: "Ben", 3: "Ann"})
    ann = sit(desk, "a", "Ann", want=8)
    assert ann.queue == [0, 1, 2, 3], "she is alone"
    desk.leave(ann)
    ben = sit(desk, "b", "Ben", want=8)
    assert ben.queue == [0, 1, 2, 3]
    ben.queue, ann.here = [], True
    assert sit(desk, "a", "Ann", want=8).queue == [2]
    assert set(sit(desk, "b", "Ben", want=8).queue) <= {0, 1, 3}
    desk.answered(ann, [2], 0)
    desk.fill(ann, 8, False, next_ones, 0)
    assert ann.queue == [], "these are Ben's"
    desk.leave(ben)
    assert sit(desk, "a", "Ann", want=8).queue == [0, 1, 3], "until he goes"


def test_a_grid_is_of_look_alikes_and_is_refilled_when_it_is_empty(desk):
    desk.begin([5, 0, 19, 6, 4, 7], {})
    seat = sit(desk, "a", want=3, grid=True)
    assert seat.queue[0] == 5
    assert set(seat.queue) == {4, 5, 6}
    assert desk.ahead(seat, 3, next_ones, 0) == [0, 7, 19]
    desk.answered(seat, [5, 6], 0)
    assert sit(desk, "a", want=3, grid=True).queue == [4]
    desk.answered(seat, [4], 0)
    assert sit(desk, "a", want=3, grid=True).queue == [0, 7, 19]


def test_turning_to_the_grid_keeps_the_image_that_is_seen(desk):
    seat = sit(desk, "a")
    desk.answered(seat, [0, 1, 2, 3, 4, 5], 0)
    sit(desk, "a")
    assert set(sit(desk, "a", grid=True, want=5).queue) == {6, 7, 8, 9, 10}
    assert sit(desk, "a", want=2).queue == [6, 7]


def test_a_renewed_batch_keeps_what_is_seen_and_what_comes_next(desk):
    one, two, grid = sit(desk, "a"), sit(desk, "b"), sit(desk, "c", grid=True)
    gone = sit(desk, "d")
    desk.leave(gone)
    assert (one.queue, two.queue, grid.queue) == ([0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11])
    desk.renew([5, 30, 2, *range(31, 40)], 17, 0.0)
    assert list(desk.left) == [0, 1, 4, 5, 8, 9, 10, 11, 30, 2, *range(31, 38)], "no more than 17 in all"
    assert (one.queue, two.queue, grid.queue) == ([0, 1], [4, 5], [8, 9, 10, 11])
    assert sit(desk, "a").queue == [0, 1, 30, 2], "the new ones come behind"
    assert sit(desk, "b", now=SILENT + 1).queue[:2] == [4, 5]
    desk.renew([40, 41], 4, SILENT + 1)
    assert list(desk.left) == [4, 5, 40, 41], "who is silent sees nothing"
    desk.renew([], 0, SILENT + 1)
    assert not desk.left
    assert two.queue == []


def test_what_was_skipped_comes_last_in_a_renewed_batch_and_goes_first(desk):
    seat = sit(desk, "a")
    desk.skip(seat, [0])
    desk.fill(seat, 4, False, next_ones, 0)
    desk.renew([0, 40, 41], 5, 0.0)
    assert list(desk.left) == [1, 2, 40, 41, 0]
    desk.renew([0, 40, 41], 4, 0.0)
    assert list(desk.left) == [1, 2, 40, 41]
    desk.begin([0, 40], {})
    desk.renew([0, 40], 2, 0.0)
    assert list(desk.left) == [0, 40], "in another batch it is an image like any other"


def test_what_the_trial_has_taken_cannot_be_undone(desk):
    seat = sit(desk, "a")
    desk.answered(seat, [0], 1.0)
    desk.answered(seat, [1, 2], 2.0)
    desk.skip(seat, [3])
    desk.seal({0, 1, 15})
    assert seat.gave == {2}
    assert [desk.undo(seat) for _ in range(3)] == [([3], []), ([2], [2]), ([], [])]
    assert not {0, 1} & desk.left.keys()


def test_pace_is_of_the_last_minutes(desk):
    seat = sit(desk, "a")
    assert seat.pace(0) is None
    for i in range(6):
        desk.answered(seat, [i], 2.0 * i)
    assert seat.pace(12.0) == pytest.approx(30)
    assert seat.pace(1000.0) is None


def test_seats_do_not_pile_up(desk):
    for i in range(SEATS + 5):
        desk.seat(str(i), 1, "x", True, float(i))
    assert len(desk.seats) == SEATS
    assert "0" not in desk.seats


def test_looks_are_compared_as_small_pictures():
    grey = torch.zeros(6, 1, 30, 30, dtype=torch.uint8)
    for i, value in enumerate((0, 200, 10, 90, 210, 5)):
        grey[i] += value
    looks = Looks(grey)
    assert looks.alike(0, [1, 2, 3, 4, 5], 3) == [5, 2, 3]
    assert looks.alike(1, [0, 2, 3, 4, 5], 1) == [4]
    assert looks.alike(1, [], 4) == []
    left, right = np.zeros((2, 3, 24, 24), np.uint8)
    left[:, :, :12], right[:, :, 12:] = 255, 255
    looks = Looks(torch.from_numpy(np.stack([left, right, left // 2])))
    assert looks.alike(0, [1, 2], 1) == [2]
