class Guard:
    pass
