"""Iterations of the Mandelbrot set on a grid: float arithmetic in local variables."""
from _common import main


def run(n):
    total = 0
    for row in range(n):
        ci = 2.0 * row / n - 1.0
        for column in range(n):
            cr = 2.0 * column / n - 1.5
            zr = zi = 0.0
            steps = 0
            while steps < 50 and zr * zr + zi * zi <= 4.0:
                zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
                steps += 1
            total += steps
    return total


if __name__ == "__main__":
    main(run, 520, {260: 1650262, 520: 6600098})
