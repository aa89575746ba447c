import pytest

from alearn.journal import RoundStarted
from alearn.report.sink import Fanout


class List(list):
    write = list.append

    def close(self):
        self.append("closed")


def test_a_fanout_hands_on_in_order_and_closes_all():
    one, two = List(), List()
    sink = Fanout([one, two])
    event = RoundStarted(1, 2, 3)
    sink.write(event)
    sink.close()
    assert one == two == [event, "closed"]


def test_one_that_cannot_close_does_not_keep_the_others_open():
    class Broken(List):
        def close(self):
            raise OSError("disk full")

    last = List()
    with pytest.raises(OSError, match="disk full"):
        Fanout([Broken(), last]).close()
    assert last == ["closed"]
