"""Pancake flips over all permutations: lists of small integers, slices."""
from _common import main


def run(n):
    perm1 = list(range(n))
    count = [0] * n
    flips_max = checksum = permutation = 0
    r = n
    while True:
        while r != 1:
            count[r - 1] = r
            r -= 1
        perm = perm1[:]
        flips = 0
        k = perm[0]
        while k:
            perm[:k + 1] = perm[k::-1]
            flips += 1
            k = perm[0]
        flips_max = max(flips_max, flips)
        checksum += flips if permutation % 2 == 0 else -flips
        while True:
            if r == n:
                return checksum, flips_max
            first = perm1[0]
            for i in range(r):
                perm1[i] = perm1[i + 1]
            perm1[r] = first
            count[r] -= 1
            if count[r] > 0:
                break
            r += 1
        permutation += 1


if __name__ == "__main__":
    main(run, 9, {9: (8629, 30)})
