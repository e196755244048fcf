"""One-way constraints in the spirit of deltablue: chains of dependent values, planned and executed again and again."""
from _common import main


class Variable:
    def __init__(self, name, value):
        self.name = name
        self.value = value
        self.constraints = []
        self.determined_by = None
        self.mark = 0
        self.strength = 10


class Constraint:
    def __init__(self, strength):
        self.strength = strength

    def inputs(self):
        raise NotImplementedError


class Stay(Constraint):
    def __init__(self, variable, strength):
        super().__init__(strength)
        self.output = variable
        variable.constraints.append(self)

    def inputs(self):
        return ()

    def execute(self):
        pass


class Scale(Constraint):
    def __init__(self, source, factor, offset, output, strength):
        super().__init__(strength)
        self.source = source
        self.factor = factor
        self.offset = offset
        self.output = output
        for v in (source, factor, offset, output):
            v.constraints.append(self)

    def inputs(self):
        return self.source, self.factor, self.offset

    def execute(self):
        self.output.value = self.source.value * self.factor.value + self.offset.value


class Equal(Constraint):
    def __init__(self, source, output, strength):
        super().__init__(strength)
        self.source = source
        self.output = output
        source.constraints.append(self)
        output.constraints.append(self)

    def inputs(self):
        return (self.source,)

    def execute(self):
        self.output.value = self.source.value


class Planner:
    def __init__(self):
        self.mark = 0

    def plan(self, sources):
        self.mark += 1
        mark = self.mark
        todo = list(sources)
        for v in todo:
            v.mark = mark
        order = []
        while todo:
            v = todo.pop(0)
            for c in v.constraints:
                out = c.output
                if out.mark == mark or out is v:
                    continue
                if all(i.mark == mark or i.determined_by is None for i in c.inputs()):
                    out.mark = mark
                    out.determined_by = c
                    order.append(c)
                    todo.append(out)
        return order


def chain(n):
    planner = Planner()
    variables = [Variable(f"v{i}", 0) for i in range(n + 1)]
    for a, b in zip(variables, variables[1:]):
        Equal(a, b, 1)
    Stay(variables[-1], 3)
    plan = planner.plan(variables[:1])
    for value in range(40):
        variables[0].value = value
        for c in plan:
            c.execute()
        if variables[-1].value != value:
            raise AssertionError("chain")
    return len(plan)


def projection(n):
    planner = Planner()
    factor, offset = Variable("factor", 10), Variable("offset", 1000)
    sources, outputs = [], []
    for i in range(n):
        s, o = Variable(f"s{i}", i), Variable(f"o{i}", 0)
        sources.append(s)
        outputs.append(o)
        Stay(s, 2)
        Scale(s, factor, offset, o, 1)
    total = 0
    for k in range(20):
        factor.value = k
        for c in planner.plan([factor, offset, *sources]):
            c.execute()
        total += sum(o.value for o in outputs)
    return total


def run(n):
    return chain(n), projection(n)


if __name__ == "__main__":
    main(run, 8000, {4000: (4000, 1599620000), 8000: (8000, 6239240000)})
