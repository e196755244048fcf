"""Spheres on a plane, shaded: small objects with arithmetic operators."""
from _common import main


class Vector:
    __slots__ = ("x", "y", "z")

    def __init__(self, x, y, z):
        self.x = x
        self.y = y
        self.z = z

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y, self.z + other.z)

    def __sub__(self, other):
        return Vector(self.x - other.x, self.y - other.y, self.z - other.z)

    def __mul__(self, factor):
        return Vector(self.x * factor, self.y * factor, self.z * factor)

    def dot(self, other):
        return self.x * other.x + self.y * other.y + self.z * other.z

    def normalized(self):
        return self * (1.0 / self.dot(self) ** 0.5)


class Sphere:
    def __init__(self, center, radius, color):
        self.center = center
        self.radius = radius
        self.color = color

    def hit(self, origin, direction):
        oc = self.center - origin
        along = oc.dot(direction)
        d2 = self.radius * self.radius - oc.dot(oc) + along * along
        if d2 < 0.0:
            return None
        distance = along - d2 ** 0.5
        return distance if distance > 1e-6 else None

    def normal(self, point):
        return (point - self.center).normalized()

    def color_at(self, point):
        return self.color


class Plane:
    def __init__(self, height):
        self.height = height

    def hit(self, origin, direction):
        if abs(direction.y) < 1e-9:
            return None
        distance = (self.height - origin.y) / direction.y
        return distance if distance > 1e-6 else None

    def normal(self, point):
        return Vector(0.0, 1.0, 0.0)

    def color_at(self, point):
        return 0.9 if (int(point.x // 1) + int(point.z // 1)) % 2 == 0 else 0.2


class Scene:
    def __init__(self):
        self.things = [Sphere(Vector(i * 1.6 - 3.2, 0.0, 6.0 + i % 2), 0.7, 0.3 + i * 0.12) for i in range(5)]
        self.things.append(Plane(-0.7))
        self.light = Vector(-4.0, 6.0, -3.0)

    def nearest(self, origin, direction):
        best = None
        for thing in self.things:
            distance = thing.hit(origin, direction)
            if distance is not None and (best is None or distance < best[0]):
                best = (distance, thing)
        return best

    def shade(self, origin, direction, depth=0):
        found = self.nearest(origin, direction)
        if found is None:
            return 0.5 * (direction.y + 1.0)
        distance, thing = found
        point = origin + direction * distance
        normal = thing.normal(point)
        to_light = (self.light - point).normalized()
        light = 0.1
        if self.nearest(point, to_light) is None:
            light += 0.9 * max(0.0, normal.dot(to_light))
        value = thing.color_at(point) * light
        if depth < 2:
            reflected = direction - normal * (2.0 * normal.dot(direction))
            value = 0.75 * value + 0.25 * self.shade(point, reflected, depth + 1)
        return value


def run(n):
    scene = Scene()
    eye = Vector(0.0, 0.4, -4.0)
    total = 0.0
    for row in range(n):
        for column in range(n):
            direction = Vector(2.0 * column / n - 1.0, 1.0 - 2.0 * row / n, 2.0).normalized()
            total += scene.shade(eye, direction)
    return f"{total / (n * n):.9f}"


if __name__ == "__main__":
    main(run, 280, {130: '0.529921184', 280: '0.529197768'})
