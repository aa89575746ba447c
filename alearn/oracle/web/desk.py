"""Who gets which image: pure logic, without a network, a disk or a clock (who calls says what time it is).

An image lies before one seat at a time. A seat's queue begins with what its person sees: one image, or in a grid all of
it. What follows is only loaded ahead, and goes to others when they would have nothing to do.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

SILENT = 20.0
"""Seconds without a word after which a browser is gone."""
MINUTE = 120.0
"""Seconds over which images a minute are counted."""
SEATS = 500
"""Browsers that are remembered; the longest silent ones go first."""

Alike = Callable[[int, list[int], int], list[int]]
"""(image, among, count): the `count` of these images that look most like it."""


@dataclass
class Seat:
    """One tab of a browser.

    who: the person's name. heard: when it last said a word. here: whether it wants images. grid: whether it shows all
    of its queue. queue: the images that lie before it. steps: what it did in this batch, newest last; images that were
    answered or skipped in one go. gave: its answers of this batch that stand. times: when it answered. number, result:
    of the last request that changed something, so that one that is sent again does so once.
    """

    who: str
    heard: float
    here: bool = True
    grid: bool = False
    queue: list[int] = field(default_factory=list)
    steps: list[list[int]] = field(default_factory=list)
    gave: set[int] = field(default_factory=set)
    times: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    number: int = -1
    result: list[int] = field(default_factory=list)

    def pace(self, now: float) -> float | None:
        """Images a minute of late, None if there is too little to tell."""
        late = [time for time in self.times if now - time <= MINUTE]
        if len(late) < 3 or now - late[0] < 3:
            return None
        return 60 * len(late) / (now - late[0])


class Desk:
    """The images of a batch that have no answer, and the people around them."""

    def __init__(self) -> None:
        self.seats: dict[str, Seat] = {}
        self.left: dict[int, None] = {}  # a set that keeps its order, that of showing
        self._first: Mapping[int, str] = {}

    def begin(self, order: Iterable[int], first: Mapping[int, str]) -> None:
        """A new batch. order: in which to show it. first: who answered already, where it is asked for again."""
        self.left, self._first = dict.fromkeys(order), first
        for seat in self.seats.values():
            seat.queue, seat.steps, seat.gave = [], [], set()

    def seat(self, name: str, who: str, now: float) -> Seat:
        """The seat of a browser, which has just said a word."""
        seat = self.seats.setdefault(name, Seat(who, now))
        seat.who, seat.heard = who, now
        if len(self.seats) > SEATS:
            del self.seats[min(self.seats, key=lambda name: self.seats[name].heard)]
        return seat

    def present(self, now: float) -> list[Seat]:
        """The seats that want images. What lies before the others is free again."""
        for seat in self.seats.values():
            if not seat.here or now - seat.heard > SILENT:
                seat.queue = []
        return [seat for seat in self.seats.values() if seat.here and now - seat.heard <= SILENT]

    def fill(self, seat: Seat, want: int, grid: bool, alike: Alike, now: float) -> None:
        """Lay images before a seat, `want` at most. grid: look-alikes, and no others until all of them are done."""
        present = self.present(now)
        if seat not in present:
            return
        turned = seat.grid != grid
        if turned:
            seat.grid, seat.queue = grid, seat.queue[:1]
        if grid and seat.queue and not turned:
            return
        free = self._free(seat, present)
        room = min(want, -(-(len(free) + len(seat.queue)) // len(present))) - len(seat.queue)
        if free and room > 0:
            if grid and not seat.queue:
                seat.queue, room = free[:1], room - 1
                free = free[1:]
            seat.queue += alike(seat.queue[0], free, room) if grid else free[:room]
        if not seat.queue:
            self._share(seat, present)

    def ahead(self, seat: Seat, want: int, alike: Alike, now: float) -> list[int]:
        """What a grid would show next, if nobody else came: a hint for loading, nothing is given away."""
        free = self._free(seat, self.present(now))
        return [free[0], *alike(free[0], free[1:], want - 1)] if free else []

    def answered(self, seat: Seat, index: list[int], now: float) -> None:
        """A seat has answered these, in one go."""
        self.drop(index)
        seat.times.extend([now] * len(index))
        if index:
            seat.steps.append(index)
            seat.gave.update(index)

    def drop(self, index: list[int]) -> None:
        """These have an answer, whoever gave it."""
        self._take(index)
        for i in index:
            self.left.pop(i, None)

    def skip(self, seat: Seat, index: list[int]) -> None:
        """These come back last, whoever gets them then."""
        index = [i for i in index if i in self.left]
        for i in index:
            del self.left[i]
            self.left[i] = None
        self._take(index)
        if index:
            seat.steps.append(index)

    def undo(self, seat: Seat) -> tuple[list[int], list[int]]:
        """Go back a step: the images that lie before the seat again, and those of them whose answer is to be withdrawn.
        A skipped image that somebody else has by now stays there.
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

    def leave(self, seat: Seat) -> None:
        """A seat gives its images back; what it did can still be undone from it."""
        seat.here, seat.queue = False, []

    def _take(self, index: list[int]) -> None:
        gone = set(index)
        for seat in self.seats.values():
            seat.queue = [i for i in seat.queue if i not in gone]

    def _may(self, seat: Seat, present: list[Seat]) -> Callable[[int], bool]:
        """Whether a seat may have an image: a second answer is somebody else's, if there is somebody else."""
        if not self._first or all(other.who == seat.who for other in present):
            return lambda index: True
        return lambda index: self._first.get(index) != seat.who

    def _free(self, seat: Seat, present: list[Seat]) -> list[int]:
        may = self._may(seat, present)
        lent = {i for other in present for i in other.queue}
        return [i for i in self.left if i not in lent and may(i)]

    def _share(self, seat: Seat, present: list[Seat]) -> None:
        """Half of what the longest queue only holds ahead."""
        may = self._may(seat, present)
        ahead = {name: [i for i in other.queue[1:] if may(i)] for name, other in enumerate(present) if not other.grid}
        if ahead:
            longest = max(ahead, key=lambda name: len(ahead[name]))
            seat.queue = ahead[longest][len(ahead[longest]) // 2 :]
            present[longest].queue = [i for i in present[longest].queue if i not in set(seat.queue)]
