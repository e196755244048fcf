"""json, csv, zlib, struct's cache and the hash modules: extensions/ and runtime/modules/struct.cpp."""
import csv
import hashlib
import importlib
import io
import json
import subprocess
import sys
import unittest
import zlib


class Hashes(unittest.TestCase):
    def test_blake2_takes_keys_salts_and_tree_parameters(self):
        self.assertEqual(hashlib.blake2b(b"foo", digest_size=16, key=b"bar", salt=b"salt", person=b"person", fanout=2,
                                         depth=2, leaf_size=4096, node_offset=1, node_depth=1, inner_size=32,
                                         last_node=True).hexdigest(), BLAKE2B_TREE)
        self.assertEqual(hashlib.blake2s(b"x" * 1000, digest_size=8, key=b"k" * 32).hexdigest(), BLAKE2S_KEYED)
        self.assertEqual(hashlib.blake2b(b"").hexdigest()[:16], "786a02f742015903")

    def test_pieces_and_copies_hash_like_the_whole(self):
        data = bytes(range(256)) * 20
        for make in hashlib.blake2b, hashlib.blake2s, hashlib.sha256, hashlib.sha3_256:
            h = make(data[:127])
            for i in range(127, len(data), 129):
                h.update(data[i:i + 129])
            self.assertEqual(h.copy().digest(), make(data).digest())

    def test_parameters_out_of_range_are_named(self):
        with self.assertRaisesRegex(ValueError, "digest_size for Blake2s must be between 1 and 32 bytes, here it is 33"):
            hashlib.blake2s(digest_size=33)
        self.assertRaisesRegex(ValueError, "maximum salt length is 16 bytes", hashlib.blake2b, salt=b"s" * 17)
        self.assertRaisesRegex(TypeError, "'data' and 'string' are mutually exclusive", hashlib.sha3_256, b"", string=b"")
        self.assertRaisesRegex(ValueError, "Cannot convert negative int", hashlib.shake_128().digest, -1)


class Json(unittest.TestCase):
    def test_delete_is_escaped_in_ascii(self):
        self.assertEqual(json.dumps("\x7f"), '"\\u007f"')
        self.assertEqual(json.dumps("\x7f", ensure_ascii=False), '"\x7f"')

    def test_a_failure_notes_the_containers_it_was_in(self):
        with self.assertRaises(TypeError) as caught:
            json.dumps({"a": [object()]})
        self.assertEqual(caught.exception.__notes__,
                         ["when serializing list item 0", "when serializing dict item 'a'"])


class Csv(unittest.TestCase):
    def test_a_delimiter_may_be_the_space_that_is_skipped(self):
        self.assertEqual(list(csv.reader(["a   b"], delimiter=" ", skipinitialspace=True)), [["a", "b"]])
        out = io.StringIO()
        csv.writer(out, delimiter=" ", skipinitialspace=True).writerow(["", None])
        self.assertEqual(out.getvalue(), '"" ""\r\n')

    def test_an_iterator_that_advances_its_own_reader_is_refused(self):
        class Lines:
            depth = 0
            def __iter__(self): return self
            def __next__(self):
                self.depth += 1
                if self.depth == 1:
                    next(reader)
                return "a,b"
        reader = csv.reader(Lines())
        self.assertRaisesRegex(csv.Error, "iterator has already advanced the reader", next, reader)


class Compression(unittest.TestCase):
    def test_streams_round_trip_in_pieces(self):
        data = b"some text " * 20000
        for name in "bz2", "lzma", "gzip":
            try:
                module = importlib.import_module(name)
            except ImportError:
                continue
            packed = module.compress(data)
            self.assertEqual(module.decompress(packed), data)
            if name == "gzip":
                continue
            machine = module.BZ2Decompressor() if name == "bz2" else module.LZMADecompressor()
            out = machine.decompress(packed[:50], 10)
            rest = packed[50:] + b"after"
            while not machine.eof:
                piece = b""
                if machine.needs_input:
                    piece, rest = rest[:1000], rest[1000:]
                    self.assertTrue(piece)
                out += machine.decompress(piece, 30000)
            self.assertEqual((out, machine.unused_data + rest), (data, b"after"))
            self.assertRaises(EOFError, machine.decompress, b"")

    def test_filters_round_trip(self):
        try:
            import lzma
        except ImportError:
            self.skipTest("built without liblzma")
        filters = [{"id": lzma.FILTER_DELTA, "dist": 4}, {"id": lzma.FILTER_LZMA2, "preset": 1}]
        packed = lzma.compress(b"abcd" * 1000, lzma.FORMAT_RAW, filters=filters)
        self.assertEqual(lzma.decompress(packed, lzma.FORMAT_RAW, filters=filters), b"abcd" * 1000)
        self.assertRaisesRegex(ValueError, "Invalid filter ID: 1", lzma.LZMACompressor, filters=[{"id": 1}])


class Others(unittest.TestCase):
    def test_a_finished_stream_is_flushed_twice(self):
        stream = zlib.decompressobj()
        self.assertEqual(stream.decompress(zlib.compress(b"text")), b"text")
        self.assertEqual((stream.flush(), stream.flush()), (b"", b""))

    def test_formats_may_be_bytes_or_text_where_comparing_them_is_an_error(self):
        program = "import struct; print(struct.calcsize(b'!d'), struct.calcsize('!d'))"
        done = subprocess.run([sys.executable, "-bb", "-c", program], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.stdout, done.stderr), ("8 8\n", ""))


BLAKE2B_TREE = "d1dde30ff8fb465cb400cc34c12c3a97"
BLAKE2S_KEYED = "084063911a0fe25b"

if __name__ == "__main__":
    unittest.main()
