"""When a labeling is over."""


def remainder_below(unlabeled: int, total: int, share: float) -> bool:
    """True once less than `share` of all images is unlabeled, or nothing is."""
    return unlabeled == 0 or unlabeled < share * total
