"""Products of dense matrices as lists of lists."""
from _common import main


def matrix(n, seed):
    state = seed
    rows = []
    for _ in range(n):
        row = []
        for _ in range(n):
            state = (state * 1103515245 + 12345) % 2147483648
            row.append(state % 1000 / 1000.0)
        rows.append(row)
    return rows


def product(a, b):
    columns = list(zip(*b))
    result = []
    for row in a:
        line = []
        for column in columns:
            s = 0.0
            for x, y in zip(row, column):
                s += x * y
            line.append(s)
        result.append(line)
    return result


def run(n):
    c = product(matrix(n, 1), matrix(n, 2))
    return f"{sum(c[i][i] for i in range(n)):.6f}"


if __name__ == "__main__":
    main(run, 210, {150: '5655.361095', 210: '11032.306239'})
