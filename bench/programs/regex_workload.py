"""Regular expressions over generated log lines: search, groups, substitution, split."""
import re

from _common import main

LINE = re.compile(r"(?P<ip>\d+\.\d+\.\d+\.\d+) - (?P<user>\w+) \[(?P<date>[^\]]+)\] \"(?P<verb>GET|POST|PUT) "
                  r"(?P<path>/[\w/.-]*)(?:\?(?P<query>\S*))?\" (?P<status>\d{3}) (?P<size>\d+)")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def lines(n):
    for i in range(n):
        yield (f'10.{i % 256}.{i * 7 % 256}.{i * 13 % 256} - user{i % 50} [{i % 28 + 1:02}/Nov/2026] '
               f'"{("GET", "POST", "PUT")[i % 3]} /site/page{i % 97}/x.html?id={i}&to=a{i}@mail.example.org" '
               f'{200 + i % 5 * 100} {i * 37 % 100000}')


def run(n):
    sizes = {}
    mails = 0
    numbers = 0
    for line in lines(n):
        m = LINE.match(line)
        sizes[m["verb"], m["status"]] = sizes.get((m["verb"], m["status"]), 0) + int(m["size"])
        mails += len(EMAIL.findall(line))
        numbers += sum(1 for _ in NUMBER.finditer(line))
        if len(re.split(r"[&?=]", m["path"] + "?" + m["query"])) != 5:
            raise AssertionError(line)
        if "#" not in re.sub(r"\d", "#", line):
            raise AssertionError(line)
    return sum(sizes.values()), mails, numbers


if __name__ == "__main__":
    main(run, 40000, {12000: (566678000, 12000, 120000), 40000: (1978360000, 40000, 400000)})
