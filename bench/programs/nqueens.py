"""Queens on a board: sets, recursion, generators."""
from _common import main


def solutions(n, row=0, columns=frozenset(), up=frozenset(), down=frozenset()):
    if row == n:
        yield ()
        return
    for column in range(n):
        if column in columns or row + column in up or row - column in down:
            continue
        for rest in solutions(n, row + 1, columns | {column}, up | {row + column}, down | {row - column}):
            yield (column, *rest)


def run(n):
    return sum(1 for _ in solutions(n))


if __name__ == "__main__":
    main(run, 12, {9: 352, 12: 14200})
