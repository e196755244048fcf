"""Random playouts of go on a small board: lists, flood fill, a hand-made random generator."""
from _common import main

SIZE = 9
EMPTY, BLACK, WHITE = 0, 1, 2


def neighbours_of():
    table = []
    for point in range(SIZE * SIZE):
        row, column = divmod(point, SIZE)
        near = []
        if row > 0:
            near.append(point - SIZE)
        if row < SIZE - 1:
            near.append(point + SIZE)
        if column > 0:
            near.append(point - 1)
        if column < SIZE - 1:
            near.append(point + 1)
        table.append(near)
    return table


NEIGHBOURS = neighbours_of()


class Board:
    def __init__(self, seed):
        self.stones = [EMPTY] * (SIZE * SIZE)
        self.state = seed
        self.captured = 0

    def random(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & 0xffffffffffffffff
        return (self.state >> 33) % n

    def group(self, point):
        color = self.stones[point]
        members = {point}
        liberties = set()
        todo = [point]
        while todo:
            for near in NEIGHBOURS[todo.pop()]:
                stone = self.stones[near]
                if stone == EMPTY:
                    liberties.add(near)
                elif stone == color and near not in members:
                    members.add(near)
                    todo.append(near)
        return members, liberties

    def play(self, point, color):
        self.stones[point] = color
        other = BLACK + WHITE - color
        for near in NEIGHBOURS[point]:
            if self.stones[near] == other:
                members, liberties = self.group(near)
                if not liberties:
                    self.captured += len(members)
                    for member in members:
                        self.stones[member] = EMPTY
        members, liberties = self.group(point)
        if not liberties:
            self.stones[point] = EMPTY
            return False
        return True

    def playout(self):
        color = BLACK
        passes = moves = 0
        while passes < 2 and moves < 120:
            free = [p for p, stone in enumerate(self.stones) if stone == EMPTY]
            if free and self.play(free[self.random(len(free))], color):
                passes = 0
            else:
                passes += 1
            color = BLACK + WHITE - color
            moves += 1
        return self.stones.count(BLACK) - self.stones.count(WHITE)


def run(n):
    score = captured = 0
    for seed in range(n):
        board = Board(seed)
        score += board.playout()
        captured += board.captured
    return score, captured


if __name__ == "__main__":
    main(run, 760, {220: (-191, 5698), 760: (229, 19343)})
