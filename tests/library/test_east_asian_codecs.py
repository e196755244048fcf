"""The encodings of East Asia (_multibytecodec and the modules beside it)."""
import codecs
import hashlib
import threading
import unittest

# Of each encoding: what every byte and pair of bytes means and what every character is written as, by CPython 3.14.
KNOWN = {
    "gb2312": "ee3d5699d891b1a83abc518794635901",
    "gbk": "152ca943bc7b4bc0bacaf1ec5b96f4af",
    "gb18030": "41a0ea1698f187c28eeb06d4e2056e00",
    "hz": "c61df151608d751814d1de1f1b5f2e64",
    "big5": "941aee4d14dd0291073f96190ea0dbcd",
    "cp950": "ae0119b4bda7188e721eca38772316cf",
    "big5hkscs": "ccfc2c47698c35e344a4c478dca41b18",
    "euc_kr": "338dd0591d480f4eff028226a323cac3",
    "cp949": "e3598db45c78cce1da003646564bafcd",
    "johab": "26ee5e6327e9f754812926d3c254c5a3",
    "euc_jp": "8e6eaa5755b42003bec2099b44bc7686",
    "shift_jis": "6db06e945185dd3186ebac1904a86a6c",
    "cp932": "155ebd551482c8162b6f61fddada0e64",
    "euc_jisx0213": "d60d192f3511a3981e4b1887e575b253",
    "euc_jis_2004": "14748cd1201b30a9f26541515f69f6ef",
    "shift_jisx0213": "56ef92a0793123bbdec679ecf4f12f72",
    "shift_jis_2004": "18a2e37d3483840bf9b568251e16b9ca",
    "iso2022_jp": "b0bf94f234af26693f6945e17bc3da52",
    "iso2022_jp_1": "0c4f6160a80d8eb08856b8c256a23a66",
    "iso2022_jp_2": "d17a7f9f5f70985b79f212163f9b83b1",
    "iso2022_jp_3": "4226a4968107a39dc3060a9cced8d3f7",
    "iso2022_jp_2004": "91dd94115385441c5f3ae0b33939fcc6",
    "iso2022_jp_ext": "4e02514deea53bdf419f70ef9a6f6f88",
    "iso2022_kr": "bfa345a92a5bfbedddbdeae030483004",
}


def digest(encoding):
    found = hashlib.sha256()
    for lead in range(256):
        codes = [bytes([lead])] + [bytes([lead, trail]) for trail in range(0x21, 0xff)]
        found.update(ascii(b"\n\n\n".join(codes).decode(encoding, "replace")).encode())
    for start in [*range(0, 0x10000, 0x100), *range(0x20000, 0x2a700, 0x100)]:
        found.update("\n".join(map(chr, range(start, start + 0x100))).encode(encoding, "replace"))
    return found.hexdigest()[:32]


class Encodings(unittest.TestCase):
    def test_every_code_means_what_it_means_in_cpython(self):
        for encoding, known in KNOWN.items():
            with self.subTest(encoding):
                self.assertEqual(digest(encoding), known)

    def test_error_handlers_see_the_bytes_and_characters_in_error(self):
        seen = []

        def handler(error):
            seen.append((type(error).__name__, error.encoding, error.start, error.end, error.reason))
            return "?!", error.end

        codecs.register_error("test.east_asian", handler)
        self.assertEqual(b"a\x80\xa4\xa2\xa4".decode("euc_jp", "test.east_asian"), "a?!\u3042?!")
        self.assertEqual("a\u0e01\u3042".encode("euc_jp", "test.east_asian"), b"a?!\xa4\xa2")
        self.assertEqual(seen, [("UnicodeDecodeError", "euc_jp", 1, 2, "illegal multibyte sequence"),
                                ("UnicodeDecodeError", "euc_jp", 4, 5, "incomplete multibyte sequence"),
                                ("UnicodeEncodeError", "euc_jp", 1, 2, "illegal multibyte sequence")])

    def test_the_replacement_of_a_handler_is_written_in_the_encodings_state(self):
        codecs.register_error("test.east_asian", lambda error: ("\u3044", error.end))
        self.assertEqual("\u3042\u0e01\u3042a".encode("iso2022_jp", "test.east_asian"), b"\x1b$B$\"$$$\"\x1b(Ba")

    def test_a_codec_that_is_not_there_is_a_lookup_error(self):
        import _codecs_jp
        with self.assertRaisesRegex(LookupError, "^no such codec is supported.$"):
            _codecs_jp.getcodec("gbk")
        with self.assertRaisesRegex(TypeError, "^encoding name must be a string.$"):
            _codecs_jp.getcodec(b"euc_jp")

    def test_threads_that_use_an_encoding_first_share_its_table(self):
        wrong = []

        def work():
            for encoding, text in (("johab", "\uac00\u3131"), ("big5hkscs", "\u4e00\u00ca\u0304"), ("euc_jis_2004", "\u304b\u309a\U0002a6b2"),
                                   ("gb18030", "\u4e00\u1e3f\U00012345"), ("iso2022_kr", "a\uac00b")):
                for _ in range(50):
                    if text.encode(encoding).decode(encoding) != text:
                        wrong.append(encoding)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
