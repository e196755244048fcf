"""str: storage, methods, formatting. A failure here implicates runtime/objects/str_*.cpp and format_*.cpp."""
import unittest


class Sub(str):
    pass


class Speaker:
    def __str__(self):
        return "S"

    def __repr__(self):
        return "R\u20ac"

    def __format__(self, spec):
        return "F" + spec


# One text of each width.
NARROW, LATIN, WIDE, ASTRAL = "abc", "ab\xe9", "ab\u20ac", "ab\U0001f600"
ALL = (NARROW, LATIN, WIDE, ASTRAL)


class Storage(unittest.TestCase):
    def test_a_result_is_in_its_narrowest_form_so_that_equal_texts_are_equal(self):
        for text in ALL:
            self.assertEqual((text + "x")[:2], "ab")
            self.assertEqual(text.replace(text[2], "c"), "abc")
            self.assertEqual(hash((text + "\u1234")[:-1]), hash(text))
            self.assertEqual(text.encode("utf-8").decode("utf-8"), text)

    def test_appending_in_place_leaves_other_references_alone(self):
        for text in ALL:
            grown = text[:1] + text[1:]
            kept = grown
            grown += "tail"
            self.assertEqual((kept, grown), (text, text + "tail"))

    def test_growing_text_in_a_loop(self):
        text = ""
        for i in range(20000):
            text += chr(97 + i % 26)
        self.assertEqual(len(text), 20000)
        self.assertEqual(text[-3:], "".join(chr(97 + i % 26) for i in (19997, 19998, 19999)))

    def test_subclasses_behave_as_their_text(self):
        for text in ALL:
            sub = Sub(text)
            self.assertEqual((sub, hash(sub), len(sub)), (text, hash(text), len(text)))
            self.assertIs(type(sub.upper()), str)
            self.assertIs(type(str(sub)), str)
            self.assertEqual({sub: 1}[text], 1)
            sub.extra = 5
            self.assertEqual(sub.extra, 5)


class Search(unittest.TestCase):
    def test_every_width_finds_every_width(self):
        for text in ALL:
            hay = "xx" + text + "yy" + text
            for start in range(3):
                needle = text[start:]
                self.assertEqual(hay.find(needle), 2 + start)
                self.assertEqual(hay.rfind(needle), 7 + start)
                self.assertEqual(hay.count(needle), 2)
                self.assertIn(needle, hay)
            self.assertEqual(hay.find("\U0010ffff"), -1)

    def test_a_pathological_search_is_linear(self):
        hay, needle = "a" * 1000000, "a" * 50000 + "b" + "a" * 50000
        self.assertEqual(hay.find(needle), -1)
        self.assertEqual(hay.rfind(needle), -1)
        self.assertEqual(("\u20ac" * 300000).count("\u20ac" * 20000 + "x"), 0)

    def test_bounds_are_those_of_slices(self):
        self.assertEqual("abcabc".find("abc", 1), 3)
        self.assertEqual("abcabc".find("abc", -3), 3)
        self.assertEqual("abcabc".find("", 10), -1)
        self.assertEqual("abc".find("", 3), 3)
        self.assertTrue("abc".startswith("", 3))
        self.assertFalse("abc".startswith("", 4))

    def test_messages(self):
        with self.assertRaisesRegex(TypeError, r"find\(\) argument 1 must be str, not int"):
            "a".find(1)
        with self.assertRaisesRegex(ValueError, "substring not found"):
            "a".index("b")
        with self.assertRaisesRegex(TypeError, "'in <string>' requires string as left operand, not int"):
            1 in "a"


class Pieces(unittest.TestCase):
    def test_split(self):
        self.assertEqual(" a  b c ".split(), ["a", "b", "c"])
        self.assertEqual(" a  b c ".split(None, 1), ["a", "b c "])
        self.assertEqual(" a  b c ".rsplit(None, 1), [" a  b", "c"])
        self.assertEqual("a--b--c".rsplit("--", 1), ["a--b", "c"])
        self.assertEqual("a\u2028b\x85c\r\nd".splitlines(), ["a", "b", "c", "d"])
        self.assertEqual("a\u2003b".split(), ["a", "b"])

    def test_join(self):
        self.assertEqual("\u20ac".join(ALL), "\u20ac".join(list(ALL)))
        with self.assertRaisesRegex(TypeError, "sequence item 1: expected str instance, int found"):
            "".join(["a", 1])

    def test_replace(self):
        self.assertEqual("aaa".replace("a", "b", 2), "bba")
        self.assertEqual("ab".replace("", "-"), "-a-b-")
        self.assertEqual("a\xe9a".replace("\xe9", "\u20ac"), "a\u20aca")

    def test_translate(self):
        table = str.maketrans("ab", "\u20acy", "c")
        self.assertEqual("abcd".translate(table), "\u20acyd")
        self.assertEqual("abcabc".translate({97: "long", 98: None}), "longclongc")

    def test_slices(self):
        for text in ALL:
            self.assertEqual(text[::-1][::-1], text)
            self.assertEqual("".join(text[i] for i in range(3)), text)
            self.assertEqual(list(text), [text[0], text[1], text[2]])
        with self.assertRaisesRegex(IndexError, "string index out of range"):
            "abc"[3]


class Case(unittest.TestCase):
    def test_full_mappings(self):
        self.assertEqual("stra\xdfe".upper(), "STRASSE")
        self.assertEqual("\u0130".lower(), "i\u0307")
        self.assertEqual("\ufb01n".title(), "Fin")
        self.assertEqual("\u01c6".title(), "\u01c5")
        self.assertEqual("\u13a0".casefold(), "\u13a0")

    def test_final_sigma(self):
        self.assertEqual("\u0391\u03a3".lower(), "\u03b1\u03c2")
        self.assertEqual("\u0391\u03a3\u0391".lower(), "\u03b1\u03c3\u03b1")

    def test_predicates(self):
        self.assertTrue("\xbd".isnumeric() and not "\xbd".isdigit())
        self.assertTrue("\u0663".isdecimal())
        self.assertTrue("\u01c5".istitle())
        self.assertTrue("na\xefve_1".isidentifier() and not "1a".isidentifier())
        self.assertFalse("\u200b".isprintable())


class Formatting(unittest.TestCase):
    def test_percent(self):
        self.assertEqual("%s|%5s|%-5s|%.2s|%r" % ("a", "b", "c", "defg", "h"), "a|    b|c    |de|'h'")
        self.assertEqual("%d %5d %05d %+d %x %#X %o" % (1, 2, 3, 4, 255, 255, 8), "1     2 00003 +4 ff 0XFF 10")
        self.assertEqual("%5.2f %e %g %%" % (3.14159, 12345.678, 0.0001), " 3.14 1.234568e+04 0.0001 %")
        self.assertEqual("%(a)s %(b)03d" % {"a": 1, "b": 2}, "1 002")
        self.assertEqual("%d" % 10**30, "1" + "0" * 30)
        self.assertEqual("%c%c" % (0x20AC, "x"), "\u20acx")
        for bad, message in (("%q", "unsupported format character 'q'"), ("%", "incomplete format")):
            with self.assertRaisesRegex(ValueError, message):
                bad % 1
        with self.assertRaisesRegex(TypeError, "not all arguments converted"):
            "a" % 1

    def test_format(self):
        self.assertEqual("{0} {1} {0!r:>5}".format("a", 2), "a 2   'a'")
        self.assertEqual("{a.real} {b[0]} {b[1]:{w}}".format(a=1, b=[2, 3], w=4), "1 2    3")
        self.assertEqual(f"{Speaker():x} {Speaker()!s} {Speaker()!r}", "Fx S R\u20ac")
        self.assertEqual("{{}}{}".format(1), "{}1")
        with self.assertRaisesRegex(ValueError, "cannot switch from manual"):
            "{0}{}".format(1, 2)

    def test_numbers(self):
        for value, spec, text in (
            (1234567, ",", "1,234,567"), (1234567, "020,", "0,000,000,001,234,567"), (255, "#06x", "0x00ff"),
            (-255, "=+10b", "- 11111111"), (1234.5678, "_.3f", "1_234.568"), (0.5, "%", "50.000000%"),
            (3.0, "", "3.0"), (1e16, "", "1e+16"), (-0.001, "z.1f", "0.0"), (65, "c", "A"), (1 + 2j, ">10.1f", "  1.0+2.0j"),
            (10**25, "_", "10_000_000_000_000_000_000_000_000"), (True, "d", "1"), (2, "e", "2.000000e+00"),
        ):
            self.assertEqual(format(value, spec), text, (value, spec))

    def test_messages(self):
        for value, spec, message in (
            ("a", "d", "Unknown format code 'd' for object of type 'str'"), (1, "s", "Unknown format code 's' for object of type 'int'"),
            (1, ",x", "Cannot specify ',' with 'x'"), (1, ".2d", "Precision not allowed in integer format specifier"),
            (1, "xx", "Invalid format specifier 'xx' for object of type 'int'"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                format(value, spec)

    def test_repr(self):
        self.assertEqual(repr("a'b\n\t\\\x00\x7f\xe9\u20ac\u200b\U0001f600\ud800"),
                         '"a\'b\\n\\t\\\\\\x00\\x7f\xe9\u20ac\\u200b\U0001f600\\ud800"')
        self.assertEqual(repr("'\""), "'\\'\"'")


if __name__ == "__main__":
    unittest.main()
