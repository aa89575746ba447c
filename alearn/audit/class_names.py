"""The names of the classes, as whoever starts an audit should look at them once: nothing else can tell twins apart."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from alearn.errors import AlearnError
from alearn.files.spelling import blurred, tidy


def one_spelling(where: str, written: str, spelled: dict[str, str]) -> str:
    """Return the tidy name of a class, and record how it is written.

    where: the place of the name, for the message. spelled: how each class was written before, by its tidy name.

    Raises:
        AlearnError: It was written in another way before: two classes of the file or folder would become one.
    """
    name = tidy(written)
    before = spelled.setdefault(name, written)
    if before != written:
        raise AlearnError(
            f"{where}={written!a}: differs from the class {before!a} only in blanks at its ends or in how its accents "
            "are encoded; write both in one way, or give one of them another name"
        )
    return name


def counted(labels: Sequence[str]) -> str:
    """Return the classes with their numbers of labels, the most frequent first. "" stands for no label."""
    counts = Counter(labels)
    aside = counts.pop("", 0)
    each = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    text = f"{len(each):,} classes: " + ", ".join(f"{name} ({count:,})" for name, count in each)
    return f"{text}; without a label: {aside:,}" if aside else text


def twins(names: Iterable[str]) -> list[str]:
    """Return a warning for each set of names that differ only in case, width or blanks."""
    alike = defaultdict(list)
    for name in sorted(names):
        alike[blurred(name)].append(name)
    return [
        f"the classes {', '.join(map(repr, same))} differ only in case, width or blanks. If they are one class, give "
        "them one name before you answer, and begin again"
        for same in alike.values()
        if len(same) > 1
    ]
