"""A part of the images, for one of several processes or machines."""

import os
import re
from collections.abc import Sequence
from typing import NamedTuple, Self, TypeVar

T = TypeVar("T")

BLOCK = 4096
"""Images of a block (`alearn.data.blocks`), unless the user wants others. On a GPU, they are seconds of work."""

ARRAYS = (
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP"),
    ("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE", "", ""),
)
"""The variables of a job array: the number of the job, how many there are, the first number (0 if it is not set), and
the distance between numbers (1 if it is not set).
"""


class Part(NamedTuple):
    """A part of the images: number `number`, from 1, of `parts`."""

    number: int
    parts: int

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """Return the items of this part. Neighbours stay together, because they lie in the same shard."""
        start, end = (len(items) * edge // self.parts for edge in (self.number - 1, self.number))
        return items[start:end]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the part that a text names: I/N, or auto, which is the job of a job array of SLURM or AWS Batch.

        Raises:
            ValueError: There is no such part. The message says what is allowed.
        """
        if text == "auto":
            for number, count, first, step in ARRAYS:
                if number in os.environ and count in os.environ:
                    before = int(os.environ[number]) - int(os.environ.get(first, 0))
                    place = before // int(os.environ.get(step, 1)) + 1
                    return cls.parse(f"{place}/{os.environ[count]}")
            raise ValueError(f"auto: this is no job of an array; {ARRAYS[0][0]} and {ARRAYS[1][0]} are not set")
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ValueError(f"{text}: must be I/N, from 1/N to N/N, or auto")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}-of-{self.parts}"
