"""_codecs, unicodedata and _string. A failure here implicates runtime/objects/codecs*.cpp, utf*.cpp, unicode_*.cpp and
runtime/modules/codecs.cpp, unicodedata.cpp."""
import io
import _codecs
import codecs
import string
import unicodedata
import unittest

UTFS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-7")
TEXTS = ("", "abc", "a\xe9b", "a\u20acb", "a\U0001f600b", "\x00\x7f\x80\u07ff\u0800\uffff\U00010000\U0010ffff" * 20)


class Codecs(unittest.TestCase):
    def test_round_trips(self):
        for encoding in UTFS + ("unicode_escape", "raw_unicode_escape"):
            for text in TEXTS:
                self.assertEqual(text.encode(encoding).decode(encoding), text, (encoding, text))

    def test_incremental_decoding_byte_by_byte(self):
        for encoding in UTFS:
            for text in TEXTS:
                decoder = codecs.getincrementaldecoder(encoding)()
                data = text.encode(encoding)
                got = "".join(decoder.decode(data[i:i + 1]) for i in range(len(data))) + decoder.decode(b"", True)
                self.assertEqual(got, text, encoding)

    def test_where_and_why_decoding_fails(self):
        for data, encoding, start, end, reason in (
            (b"a\xff", "utf-8", 1, 2, "invalid start byte"), (b"a\xe2\x82", "utf-8", 1, 3, "unexpected end of data"),
            (b"\xe2\x82z", "utf-8", 0, 2, "invalid continuation byte"), (b"\xed\xa0\x80", "utf-8", 0, 1, "invalid continuation byte"),
            (b"\x00\xd8", "utf-16-le", 0, 2, "unexpected end of data"), (b"a", "utf-16-le", 0, 1, "truncated data"),
            (b"\x00\x00\x11\x00", "utf-32-le", 0, 4, "code point not in range(0x110000)"),
            (b"a\xe9", "ascii", 1, 2, "ordinal not in range(128)"), (b"\\x1", "unicode_escape", 0, 3, "truncated \\xXX escape"),
        ):
            with self.assertRaises(UnicodeDecodeError) as caught:
                data.decode(encoding)
            e = caught.exception
            self.assertEqual((e.start, e.end, e.reason), (start, end, reason), (data, encoding))

    def test_error_handlers(self):
        self.assertEqual(b"a\xff\xe2\x82b".decode("utf-8", "replace"), "a\ufffd\ufffdb")
        self.assertEqual(b"a\xffb".decode("utf-8", "backslashreplace"), "a\\xffb")
        self.assertEqual(b"a\xff".decode("utf-8", "surrogateescape"), "a\udcff")
        self.assertEqual("a\udcff".encode("utf-8", "surrogateescape"), b"a\xff")
        self.assertEqual("\ud800".encode("utf-16-le", "surrogatepass"), b"\x00\xd8")
        self.assertEqual("a\xe9\u20ac".encode("ascii", "xmlcharrefreplace"), b"a&#233;&#8364;")
        self.assertEqual("\xe9\u20ac".encode("ascii", "namereplace"), b"\\N{LATIN SMALL LETTER E WITH ACUTE}\\N{EURO SIGN}")
        self.assertEqual("a\xe9".encode("ascii", "ignore"), b"a")

    def test_handlers_of_ones_own(self):
        codecs.register_error("test.hash", lambda e: ("#" * (e.end - e.start), e.end))
        self.assertEqual("a\xe9\xe9b".encode("ascii", "test.hash"), b"a##b")
        self.assertEqual(b"a\xffb".decode("utf-8", "test.hash"), "a#b")
        codecs.register_error("test.back", lambda e: ("?", 99))
        with self.assertRaisesRegex(IndexError, "position 99 from error handler out of bounds"):
            b"\xff".decode("utf-8", "test.back")

    def test_the_registry(self):
        with self.assertRaisesRegex(LookupError, "unknown encoding: no-such"):
            "a".encode("no-such")
        with self.assertRaisesRegex(LookupError, "is not a text encoding"):
            "a".encode("rot13")
        self.assertEqual(codecs.encode("a", "rot13"), "n")
        self.assertEqual("\u20ac".encode("cp1252"), b"\x80")
        self.assertEqual(codecs.lookup("UTF 8").name, "utf-8")

    def test_charmap(self):
        self.assertEqual(_codecs.charmap_decode(b"ab", "strict", {97: "AA", 98: 66}), ("AAB", 2))
        self.assertEqual(_codecs.charmap_encode("ab", "strict", {97: b"AA", 98: 66}), (b"AAB", 2))


class Database(unittest.TestCase):
    def test_properties(self):
        self.assertEqual(unicodedata.category("A"), "Lu")
        self.assertEqual(unicodedata.bidirectional("\u05d0"), "R")
        self.assertEqual(unicodedata.numeric("\xbd"), 0.5)
        self.assertEqual(unicodedata.east_asian_width("\u4e00"), "W")
        self.assertEqual(unicodedata.decomposition("\ufb01"), "<compat> 0066 0069")
        self.assertEqual(unicodedata.combining("\u0301"), 230)

    def test_names_in_both_directions(self):
        for ch in "A\xe9\u20ac\u4e00\uac01\U0001f600\u0f0a":
            self.assertEqual(unicodedata.lookup(unicodedata.name(ch)), ch)
        self.assertEqual("\N{EURO SIGN}", "\u20ac")
        self.assertEqual(len(unicodedata.lookup("KEYCAP DIGIT ONE")), 3)
        self.assertEqual(unicodedata.name("\0", "none"), "none")

    def test_normal_forms(self):
        for text in ("\xe9", "\u1e9b\u0323", "\uac01", "\u0344", "a\u0328\u0301\u0300"):
            for form in ("NFC", "NFD", "NFKC", "NFKD"):
                normal = unicodedata.normalize(form, text)
                self.assertTrue(unicodedata.is_normalized(form, normal))
                self.assertEqual(unicodedata.normalize(form, normal), normal)
        self.assertEqual(unicodedata.normalize("NFKC", "\u1e9b\u0323"), "\u1e69")
        self.assertEqual(unicodedata.ucd_3_2_0.unidata_version, "3.2.0")


class Formatter(unittest.TestCase):
    def test_parser(self):
        self.assertEqual(list(string.Formatter().parse("a{b!r:c}d{{")),
                         [("a", "b", "c", "r"), ("d{", None, None, None)])
        self.assertEqual(string.Formatter().format("{0[a]} {x.real:>3}", {"a": 1}, x=2), "1   2")
        self.assertEqual(string.Template("$a ${b}").substitute(a=1, b=2), "1 2")


class TokensWithoutExtras(unittest.TestCase):
    def test_tokens_that_stand_for_no_text_have_no_columns(self):
        import _tokenize
        tokens = list(_tokenize.TokenizerIter(io.StringIO("if x:\n  y\nz\n\n").readline, extra_tokens=False))
        self.assertEqual([t for t in tokens if t[0] in (0, 5, 6)], [
            (5, "", (2, -1), (2, -1), "  y\n"), (6, "", (3, -1), (3, -1), "z\n"), (0, "", (4, -1), (4, -1), "")])
        self.assertEqual(list(_tokenize.TokenizerIter(io.StringIO("").readline, extra_tokens=False)), [])


if __name__ == "__main__":
    unittest.main()
