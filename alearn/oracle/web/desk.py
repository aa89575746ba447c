"""Decide who gets which image. This is pure logic without a network, a disk or a clock: the caller passes the time.

Each image is in the queue of at most one seat. Without a grid, the person sees the first image of the queue; in a grid,
the person sees the whole queue. The page only preloads the other images, and people who have nothing to do get them.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

SILENT = 20.0
"""A browser that sends no request for this many seconds counts as gone."""
MINUTE = 120.0
"""Length in seconds of the window over which `Seat.pace` counts images."""
NEXT = 2
"""How many images of a queue stay when the batch is renewed: the one that the person sees, and the next one, which the
page has loaded."""
SEATS = 500
"""The most browsers that the desk remembers. It forgets the one that has been silent for longest."""

Alike = Callable[[int, list[int], int], list[int]]
"""(image, among, count) -> the `count` images of `among` that look most like `image`."""


@dataclass
class Seat:
    """One tab of a browser.

    who: the person's name.
    heard: when it last sent a request.
    visit, left: the number of its latest visit to the page, and of the latest visit that is over.
    here: whether it wants images.
    grid: whether it shows all of its queue.
    queue: the images that it has.
    steps: what it did in this batch, newest last. A step is the images that it answered or skipped together.
    gave: the images that it answered in this batch and whose answer stands.
    times: when it answered.
    number, result: the number and the result of its last change, so that a repeated request changes nothing.
    """

    who: str
    heard: float
    visit: int = 0
    left: int = -1
    here: bool = True
    grid: bool = False
    queue: list[int] = field(default_factory=list)
    steps: list[list[int]] = field(default_factory=list)
    gave: set[int] = field(default_factory=set)
    times: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    number: int = -1
    result: list[int] = field(default_factory=list)

    def pace(self, now: float) -> float | None:
        """Return the recent images per minute, or None after fewer than 3 images or 3 seconds."""
        recent = [time for time in self.times if now - time <= MINUTE]
        if len(recent) < 3 or now - recent[0] < 3:
            return None
        return 60 * len(recent) / (now - recent[0])


class Desk:
    """The images of a batch that have no answer yet, and the seats that share them."""

    def __init__(self) -> None:
        self.seats: dict[str, Seat] = {}
        self._skipped: set[int] = set()
        self.left: dict[int, None] = {}  # an ordered set, in the order of showing
        self._first: Mapping[int, str] = {}

    def begin(self, order: Iterable[int], first: Mapping[int, str]) -> None:
        """Begin a new batch.

        Args:
            order: its images, in the order of showing.
            first: if this is the second question, who answered the first one, by image.
        """
        self.left = dict.fromkeys(order)
        self._first = first
        self._skipped = set()
        for seat in self.seats.values():
            seat.queue = []
            seat.steps = []
            seat.gave = set()

    def renew(self, order: Iterable[int], size: int, now: float) -> None:
        """Replace the images that nobody sees and that are not next. Skipped images come last.

        Args:
            order: the images of the new batch, in the order of showing.
            size: how many images there may be, with those that stay.
            now: the time.
        """
        seen = [i for seat in self.present(now) for i in (seat.queue if seat.grid else seat.queue[:NEXT])]
        order = [*seen, *sorted(order, key=lambda i: i in self._skipped)]
        self.left = dict.fromkeys(list(dict.fromkeys(order))[:size])
        stay = set(seen) & self.left.keys()
        for seat in self.seats.values():
            seat.queue = [i for i in seat.queue if i in stay]

    def seal(self, taken: Collection[int]) -> None:
        """Forget the answers that the trial has taken, because nobody can undo them any more."""
        for seat in self.seats.values():
            seat.gave.difference_update(taken)
            seat.steps = [step for each in seat.steps if (step := [i for i in each if i not in taken])]

    def seat(self, name: str, visit: int, who: str, here: bool, now: float) -> Seat:
        """Return the seat of a browser that has sent a request. A new browser gets a new seat.

        If it does not want images (`here` is False), take its images back. A request of a visit that is over changes
        nothing: it was sent before the page was closed.
        """
        seat = self.seats.setdefault(name, Seat(who, now))
        if visit <= seat.left:
            return seat
        seat.visit = max(seat.visit, visit)
        seat.who = who
        seat.heard = now
        if not here:
            self.leave(seat)
        seat.here = here
        if len(self.seats) > SEATS:
            del self.seats[min(self.seats, key=lambda name: self.seats[name].heard)]
        return seat

    def present(self, now: float) -> list[Seat]:
        """Return the seats that want images. Empty the queues of all others."""
        for seat in self.seats.values():
            if not seat.here or now - seat.heard > SILENT:
                seat.queue = []
        return [seat for seat in self.seats.values() if seat.here and now - seat.heard <= SILENT]

    def fill(self, seat: Seat, want: int, grid: bool, alike: Alike, now: float) -> None:
        """Fill the queue of a seat up to `want` images.

        A grid gets images that look alike, and no new images until it is empty.
        """
        present = self.present(now)
        if seat not in present:
            return
        turned = seat.grid != grid
        if turned:
            seat.grid = grid
            seat.queue = seat.queue[:1]
        if grid and seat.queue and not turned:
            return
        free = self._free(seat, present)
        room = min(want, -(-(len(free) + len(seat.queue)) // len(present))) - len(seat.queue)
        if free and room > 0:
            if grid and not seat.queue:
                seat.queue = free[:1]
                room -= 1
                free = free[1:]
            seat.queue += alike(seat.queue[0], free, room) if grid else free[:room]
        if not seat.queue:
            self._share(seat, present)

    def ahead(self, seat: Seat, want: int, alike: Alike, now: float) -> list[int]:
        """Return what a grid would show next if nobody else took it. The page preloads these; no queue changes."""
        free = self._free(seat, self.present(now))
        return [free[0], *alike(free[0], free[1:], want - 1)] if free else []

    def answered(self, seat: Seat, index: list[int], now: float) -> None:
        """Note that a seat has answered these images together."""
        self.drop(index)
        seat.times.extend([now] * len(index))
        if index:
            seat.steps.append(index)
            seat.gave.update(index)

    def drop(self, index: list[int]) -> None:
        """Remove images that have an answer, whoever gave it."""
        self._take(index)
        for i in index:
            self.left.pop(i, None)

    def skip(self, seat: Seat, index: list[int]) -> None:
        """Put these images last. Any seat may get them then."""
        index = [i for i in index if i in self.left]
        for i in index:
            del self.left[i]
            self.left[i] = None
        self._skipped.update(index)
        self._take(index)
        if index:
            seat.steps.append(index)

    def undo(self, seat: Seat) -> tuple[list[int], list[int]]:
        """Undo the last step of a seat. A skipped image that somebody else has by now stays there.

        Returns:
            The images that are in the queue of the seat again, and those of them whose answer must be withdrawn.
        """
        elsewhere = {i for other in self.seats.values() if other is not seat for i in other.queue}
        while seat.steps:
            step = seat.steps.pop()
            mine = [i for i in step if i in seat.gave]
            back = [i for i in step if i in seat.gave or (i in self.left and i not in elsewhere)]
            if back:
                seat.gave.difference_update(mine)
                self.left = dict.fromkeys(back) | self.left
                seat.queue = list(dict.fromkeys([*back, *seat.queue]))
                return back, mine
        return [], []

    def close(self, name: str, visit: int) -> None:
        """Note that a browser has closed the page. If it has opened the page again by now, this changes nothing."""
        if (seat := self.seats.get(name)) and visit >= seat.visit:
            self.leave(seat)
            seat.left = visit
            seat.heard -= SILENT

    def leave(self, seat: Seat) -> None:
        """Take the images back from a seat. It can still undo its steps later."""
        seat.here = False
        seat.queue = []

    def _take(self, index: list[int]) -> None:
        gone = set(index)
        for seat in self.seats.values():
            seat.queue = [i for i in seat.queue if i not in gone]

    def _may(self, seat: Seat, present: list[Seat]) -> Callable[[int], bool]:
        """Return whether a seat may get an image. A second answer must come from another person, if one is present."""
        if not self._first or all(other.who == seat.who for other in present):
            return lambda index: True
        return lambda index: self._first.get(index) != seat.who

    def _free(self, seat: Seat, present: list[Seat]) -> list[int]:
        may = self._may(seat, present)
        lent = {i for other in present for i in other.queue}
        return [i for i in self.left if i not in lent and may(i)]

    def _share(self, seat: Seat, present: list[Seat]) -> None:
        """Give a seat half of the images that the longest queue only preloads."""
        may = self._may(seat, present)
        ahead = {name: [i for i in other.queue[1:] if may(i)] for name, other in enumerate(present) if not other.grid}
        if ahead:
            longest = max(ahead, key=lambda name: len(ahead[name]))
            seat.queue = ahead[longest][len(ahead[longest]) // 2 :]
            present[longest].queue = [i for i in present[longest].queue if i not in set(seat.queue)]
