"""A tokenizer, a recursive-descent parser and an evaluator: strings, dicts, small classes."""
from _common import main


class Number:
    def __init__(self, value):
        self.value = value

    def evaluate(self, names):
        return self.value


class Name:
    def __init__(self, name):
        self.name = name

    def evaluate(self, names):
        return names[self.name]


class Binary:
    def __init__(self, op, left, right):
        self.op = op
        self.left = left
        self.right = right

    def evaluate(self, names):
        a = self.left.evaluate(names)
        b = self.right.evaluate(names)
        if self.op == "+":
            return a + b
        if self.op == "-":
            return a - b
        if self.op == "*":
            return a * b
        return a // b if b else 0


def tokens(text):
    i = 0
    while i < len(text):
        c = text[i]
        if c.isspace():
            i += 1
        elif c.isdigit():
            j = i
            while j < len(text) and text[j].isdigit():
                j += 1
            yield "number", text[i:j]
            i = j
        elif c.isalpha():
            j = i
            while j < len(text) and text[j].isalnum():
                j += 1
            yield "name", text[i:j]
            i = j
        else:
            yield "op", c
            i += 1
    yield "end", ""


class Parser:
    def __init__(self, text):
        self.stream = tokens(text)
        self.advance()

    def advance(self):
        self.kind, self.text = next(self.stream)

    def expression(self):
        left = self.term()
        while self.kind == "op" and self.text in "+-":
            op = self.text
            self.advance()
            left = Binary(op, left, self.term())
        return left

    def term(self):
        left = self.factor()
        while self.kind == "op" and self.text in "*/":
            op = self.text
            self.advance()
            left = Binary(op, left, self.factor())
        return left

    def factor(self):
        if self.kind == "number":
            node = Number(int(self.text))
        elif self.kind == "name":
            node = Name(self.text)
        elif self.text == "(":
            self.advance()
            node = self.expression()
            if self.text != ")":
                raise SyntaxError("expected )")
        else:
            raise SyntaxError(f"unexpected {self.text!r}")
        self.advance()
        return node


def run(n):
    names = {"x": 3, "y": 14, "total": 1000}
    checksum = 0
    for i in range(n):
        text = f"(x + {i}) * (y - {i % 11}) / (1 + {i % 7}) + total * {i % 3} - (x * (y + (x - {i})))"
        checksum = (checksum + Parser(text).expression().evaluate(names)) % 1000003
    return checksum


if __name__ == "__main__":
    main(run, 36000, {9000: 85209, 36000: 599145})
