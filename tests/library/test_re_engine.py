"""_sre under the library's re. A failure here implicates runtime/modules/sre_*.cpp.

Matching is compared with a model: a matcher of thirty lines that follows the syntax tree and tries everything in order."""
import _sre
import re
import signal
import threading
import unittest
import weakref
from re import _constants as c
from re import _parser


class Model:
    """Backtracking by continuations: k(position, groups) says what comes next and returns a result or None."""

    def __init__(self, pattern, flags, text):
        self.tree = _parser.parse(pattern, flags)
        self.text, self.flags = text, flags | self.tree.state.flags
        self.groups = self.tree.state.groups

    def match_at(self, pos, full=False):
        def accept(p, groups):
            if not full or p == len(self.text):
                return ((pos, p),) + groups[1:]
        return self.seq(list(self.tree), pos, ((-1, -1),) * self.groups, accept)

    def search(self):
        for pos in range(len(self.text) + 1):
            if (found := self.match_at(pos)) is not None:
                return found

    def in_set(self, items, ch):
        hit, negated = False, False
        for op, av in items:
            if op is c.NEGATE:
                negated = True
            elif op is c.LITERAL:
                hit |= ord(ch) == av
            elif op is c.RANGE:
                hit |= av[0] <= ord(ch) <= av[1]
            else:
                word = ch.isalnum() or ch == "_"
                hit |= {c.CATEGORY_WORD: word, c.CATEGORY_NOT_WORD: not word, c.CATEGORY_DIGIT: ch.isdecimal(),
                        c.CATEGORY_SPACE: ch.isspace()}[av]
        return hit != negated

    def one(self, op, av, ch):
        if op is c.LITERAL:
            return ord(ch) == av
        if op is c.NOT_LITERAL:
            return ord(ch) != av
        if op is c.ANY:
            return ch != "\n" or self.flags & re.S
        return self.in_set(av, ch)

    def seq(self, items, pos, groups, k):
        if not items:
            return k(pos, groups)
        (op, av), text = items[0], self.text
        rest = lambda p, g: self.seq(items[1:], p, g, k)
        done = lambda p, g: (p, g)
        if op in (c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN):
            return rest(pos + 1, groups) if pos < len(text) and self.one(op, av, text[pos]) else None
        if op is c.BRANCH:
            return next((r for b in av[1] if (r := self.seq(list(b), pos, groups, rest)) is not None), None)
        if op is c.SUBPATTERN:
            n = av[0]
            close = lambda p, g: rest(p, g[:n] + ((pos, p),) + g[n + 1:]) if n else rest(p, g)
            return self.seq(list(av[3]), pos, groups, close)
        if op in (c.MAX_REPEAT, c.MIN_REPEAT):
            return self.loop(op is c.MAX_REPEAT, av, 0, pos, None, groups, rest)
        if op is c.POSSESSIVE_REPEAT:
            found = self.loop(True, av, 0, pos, None, groups, done, atomic=True)
            return rest(*found) if found else None
        if op is c.ATOMIC_GROUP:
            found = self.seq(list(av), pos, groups, done)
            return rest(*found) if found else None
        if op is c.ASSERT or op is c.ASSERT_NOT:
            found = self.seq(list(av[1]), pos, groups, done)
            if op is c.ASSERT:
                return rest(pos, found[1]) if found else None
            return None if found else rest(pos, groups)
        if op is c.GROUPREF:
            start, end = groups[av]
            same = start >= 0 and text.startswith(text[start:end], pos)
            return rest(pos + end - start, groups) if same else None
        if op is c.GROUPREF_EXISTS:
            branch = av[1] if groups[av[0]][0] >= 0 else av[2] or ()
            return self.seq(list(branch), pos, groups, rest)
        if op is c.FAILURE:
            return None
        assert op is c.AT, op
        is_word = lambda p: 0 <= p < len(text) and (text[p].isalnum() or text[p] == "_")
        holds = {c.AT_BEGINNING: pos == 0, c.AT_BEGINNING_STRING: pos == 0, c.AT_END_STRING: pos == len(text),
                 c.AT_END: pos == len(text) or text[pos:] == "\n", c.AT_BOUNDARY: is_word(pos - 1) != is_word(pos),
                 c.AT_NON_BOUNDARY: is_word(pos - 1) == is_word(pos)}[av]
        return rest(pos, groups) if holds else None

    def loop(self, greedy, av, count, pos, last, groups, rest, atomic=False):
        low, high, body = av
        again = lambda p, g, l: self.loop(greedy, av, count + 1, p, l, g, rest, atomic)
        def body_then(l):
            if atomic:
                found = self.seq(list(body), pos, groups, lambda p, g: (p, g))
                return again(*found, l) if found else None
            return self.seq(list(body), pos, groups, lambda p, g: again(p, g, l))
        if count < low:
            return body_then(last)
        more = lambda: body_then(pos) if count < high and pos != last else None
        end = lambda: rest(pos, groups)
        first, second = (more, end) if greedy else (end, more)
        found = first()
        return found if found is not None else second()


class Random:
    def __init__(self, seed):
        self.state = seed

    def __call__(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        return (self.state >> 33) % n

    def pick(self, items):
        return items[self(len(items))]


ATOMS = ("a", "b", "ab", ".", "[ab]", "[^a]", r"\w", r"\d", r"\s", "x", "[a-c]", r"\W", "", "\u0416", "[\u0400-\u0450b]")


def pattern(rnd, depth):
    kind = rnd(15)
    if depth == 0 or kind < 3:
        return rnd.pick(ATOMS)
    sub = lambda: pattern(rnd, depth - 1)
    if kind == 3:
        return rnd.pick(("^", "$", r"\b", r"\B", r"\Z"))
    if kind == 4:
        return sub() + sub()
    if kind in (5, 6):
        return f"(?:{sub()}|{sub()})"
    if kind == 7:
        return f"({sub()})"
    if kind in (8, 9, 10):
        return rnd.pick(("(", "(?:")) + sub() + ")" + rnd.pick(("*", "+", "?", "{2}", "{1,3}", "{0,2}")) + rnd.pick(("", "", "?", "+"))
    if kind == 11:
        return rnd.pick(("(?=", "(?!")) + sub() + ")"
    if kind == 12:
        return f"(?>{sub()})"
    if kind == 13:
        return f"({sub()})"
    return f"(?({1 + rnd(2)}){sub()}|{sub()})"


class AgainstTheModel(unittest.TestCase):
    def check(self, seed, rounds, alphabet):
        rnd = Random(seed)
        compared = 0
        for _ in range(rounds):
            source = "".join(pattern(rnd, 3) for _ in range(1 + rnd(3)))
            if rnd(4) == 0 and "(" in source.replace("(?", ""):
                source += r"\1"
            flags = rnd.pick((0, 0, re.S))
            try:
                compiled = re.compile(source, flags)
            except re.error:
                continue
            for _ in range(3):
                text = "".join(rnd.pick(alphabet) for _ in range(rnd(8)))
                model = Model(source, flags, text)
                for name, found, expected in (
                    ("search", compiled.search(text), model.search()),
                    ("match", compiled.match(text), model.match_at(0)),
                    ("fullmatch", compiled.fullmatch(text), model.match_at(0, full=True)),
                ):
                    self.assertEqual(found and found.regs, expected, (name, source, flags, text))
                    compared += 1
        self.assertGreater(compared, rounds)

    def test_narrow_text(self):
        self.check(1, 400, "ab ab1_\n")

    def test_wide_text(self):
        self.check(2, 300, "abx\u0416\u0436")

    def test_widest_text(self):
        self.check(3, 200, "ab\u0416\U0001f600")


class Matching(unittest.TestCase):
    def test_ignoring_case_knows_characters_with_several_cases(self):
        for one, other in (("k", "\u212a"), ("s", "\u017f"), ("\u03c3", "\u03c2"), ("\xe9", "\xc9"), ("\u01c5", "\u01c4")):
            self.assertTrue(re.fullmatch(one, other, re.I))
            self.assertTrue(re.fullmatch(f"[{one}]+", other + one, re.I))
        self.assertFalse(re.fullmatch("k", "\u212a", re.I | re.A))

    def test_large_sets(self):
        big = "[" + "".join(chr(i) for i in range(0x100, 0xFFFF, 7) if not 0xD800 <= i < 0xE000) + "a-f]+"
        self.assertEqual(re.match(big, "abc\u0100\u0107\u0101").end(), 5)
        self.assertEqual(re.match("[^\u0100-\uffff]+", "a\U0001f600\u0100").end(), 2)

    def test_prefixes_are_found_in_every_width(self):
        for filler in ("x", "\u0416", "\U0001f600"):
            text = filler * 50 + "needles" + filler
            self.assertEqual(re.search("needle(s?)", text).regs, ((50, 57), (56, 57)))
            self.assertIsNone(re.search("\U0001f601", text))
            self.assertEqual(re.search("n|e", text).start(), 50)

    def test_deep_loops_do_not_use_the_native_stack(self):
        self.assertEqual(re.match("(?:a|b(?=.)|c)*", "abc" * 100000).end(), 300000)
        self.assertEqual(re.match("(?:(a)|b)*$", "ab" * 50000).span(1), (99998, 99999))
        self.assertIsNone(re.match("(?:.|\n)*z", "ab" * 50000))

    def test_a_match_stops_at_endpos_and_does_not_begin_before_pos(self):
        p = re.compile("^a*$|(?<=x)b")
        self.assertEqual(p.match("aaab", 0, 3).span(), (0, 3))
        self.assertIsNone(p.match("aaab", 1, 3))
        self.assertEqual(p.search("xb", 1).span(), (1, 2))
        self.assertEqual(re.compile("").match("abc", 2, 1).span(), (2, 2))
        self.assertIsNone(re.compile("").search("abc", 2, 1))

    def test_empty_matches_may_follow_a_match(self):
        self.assertEqual(re.findall(r"\b|\w+", "aa b"), ["", "aa", "", "", "b", ""])
        self.assertEqual(re.sub("x*", "-", "abxd"), "-a-b--d-")
        self.assertEqual(re.split("x*", "axbc"), ["", "a", "", "b", "c", ""])

    def test_lastindex_is_the_group_closed_last(self):
        self.assertEqual(re.match("((a)(b)?)", "ab").lastindex, 1)
        self.assertEqual(re.match("(a)(b)?", "ac").lastindex, 1)
        self.assertEqual(re.match("(?P<x>a)|(?P<y>b)", "b").lastgroup, "y")
        self.assertIsNone(re.match("a|(b)", "a").lastindex)


class Replacing(unittest.TestCase):
    def test_kinds_of_replacements(self):
        self.assertEqual(re.sub("(a)(b)?", r"[\2\g<1>\g<0>]", "ab-a"), "[baab]-[aa]")
        self.assertEqual(re.sub("a", lambda m: None, "bab"), "bb")
        self.assertEqual(re.subn("a", "\u0416", "a\U0001f600a", count=1), ("\u0416\U0001f600a", 1))
        self.assertEqual(re.sub(b"a", bytearray(rb"<\g<0>>"), memoryview(b"bab")), b"b<a>b")
        text = "".join("z")
        self.assertIs(re.sub("a", "b", text), text)

    def test_replacements_of_the_wrong_type_are_told_by_their_place(self):
        with self.assertRaisesRegex(TypeError, "sequence item 1: expected str instance, bytes found"):
            re.sub("a", lambda m: b"x", "za")
        with self.assertRaisesRegex(TypeError, "sequence item 0: expected a bytes-like object, str found"):
            re.sub(b"a", lambda m: "x", b"a")

    def test_templates(self):
        p = re.compile("(.)")
        for bad in ([], ["a", 1], ["a", -1, "b"]):
            with self.assertRaisesRegex(TypeError, "invalid template"):
                _sre.template(p, bad)
        self.assertEqual(p.match("q").expand(r"\1\n"), "q\n")


class Objects(unittest.TestCase):
    def test_patterns(self):
        p = re.compile("a(?P<n>b)", re.I | re.X)
        self.assertEqual(repr(p), "re.compile('a(?P<n>b)', re.IGNORECASE|re.VERBOSE)")
        self.assertEqual(dict(p.groupindex), {"n": 1})
        self.assertEqual(p, re._compiler.compile("a(?P<n>b)", re.I | re.X))
        self.assertEqual(hash(p), hash(re._compiler.compile("a(?P<n>b)", re.I | re.X)))
        self.assertNotEqual(p, re.compile("a(?P<n>b)", re.X))
        self.assertIs(weakref.ref(p)(), p)
        self.assertRaises(TypeError, type(p))

    def test_matches(self):
        m = re.match("(?P<n>a)(b)?", "a")
        self.assertEqual(repr(m), "<re.Match object; span=(0, 1), match='a'>")
        self.assertEqual((m["n"], m[2], m.group(0, "n"), m.groups(7), m.groupdict()), ("a", None, ("a", "a"), ("a", 7), {"n": "a"}))
        for bad in (3, -1, "q", 1.5, None, 10**30):
            self.assertRaises(IndexError, m.group, bad)
        self.assertRaises(TypeError, m.group, [])

    def test_a_buffer_is_held_while_it_is_searched(self):
        data = bytearray(b"aab")
        matches = re.finditer(b"a", data)
        next(matches)
        with self.assertRaises(BufferError):
            data.clear()
        self.assertEqual(len(list(matches)), 1)
        del matches
        data.clear()

    def test_code_that_no_compiler_makes_is_refused(self):
        for words in ([], [99, 1], [c.LITERAL], [c.MARK, 0, 1], [c.REPEAT_ONE, 9, 0, 1, 1], [c.JUMP, 1, 1], [c.BRANCH, 3, 1],
                      [c.IN, 3, c.LITERAL, 1, 1], [c.ASSERT, 1, 0, 1], [c.GROUPREF, 0, 1], [c.INFO, 200, 0, 0, 0, 1]):
            with self.assertRaisesRegex(RuntimeError, "invalid SRE code"):
                _sre.compile("x", 0, [int(w) for w in words], 0, {}, ())
        self.assertRaises(OverflowError, _sre.compile, "x", 0, [1 << 32], 0, {}, ())
        self.assertRaises(TypeError, _sre.compile, "x", 0, ["a"], 0, {}, ())


class Threads(unittest.TestCase):
    def run_all(self, target, n=4):
        errors = []
        def guarded():
            try:
                target()
            except BaseException as e:
                errors.append(e)
        threads = [threading.Thread(target=guarded) for _ in range(n)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if errors:
            raise errors[0]

    def test_one_pattern_serves_all_threads(self):
        p = re.compile(r"(\w+)@(\w+)")
        text = "me@here, you@there; " * 50
        expected = p.findall(text)
        def work():
            for _ in range(20):
                self.assertEqual(p.findall(text), expected)
                self.assertEqual(p.match(text).regs[1], (0, 2))
        self.run_all(work)

    def test_threads_that_share_an_iterator_get_each_match_once_or_an_error(self):
        matches = re.finditer("a", "a" * 2000)
        found = []
        def work():
            while True:
                try:
                    found.append(next(matches).start())
                except StopIteration:
                    return
                except ValueError as e:
                    self.assertEqual(str(e), "regular expression scanner already executing")
        self.run_all(work)
        self.assertEqual(sorted(found), list(range(2000)))

    @unittest.skipUnless(hasattr(signal, "setitimer"), "needs timers")
    def test_a_signal_handler_runs_during_a_long_match(self):
        class Enough(Exception):
            pass
        def handler(*_):
            raise Enough
        old = signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with self.assertRaises(Enough):
                re.match("(a+)+b", "a" * 60)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)


if __name__ == "__main__":
    unittest.main()
