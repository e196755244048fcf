"""pyexpat and what stands on it: extensions/pyexpat.cpp."""
import unittest

try:
    from xml.parsers import expat
except ImportError:
    raise unittest.SkipTest("built without libexpat")
import xml.dom.minidom
import xml.etree.ElementTree as ElementTree


class Expat(unittest.TestCase):
    def test_handlers_get_events_in_order(self):
        events = []
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = lambda name, attributes: events.append((name, attributes))
        parser.EndElementHandler = events.append
        parser.CharacterDataHandler = events.append
        parser.CommentHandler = lambda text: events.append("!" + text)
        self.assertEqual(parser.Parse("<a x='1'>one &amp; <b/>t\xe9<!--c--></a>", True), 1)
        self.assertEqual(events, [("a", {"x": "1"}), "one & ", ("b", {}), "b", "t\xe9", "!c", "a"])

    def test_errors_say_where_they_are(self):
        with self.assertRaisesRegex(expat.ExpatError, "mismatched tag: line 2, column 2") as caught:
            expat.ParserCreate().Parse(b"<a>\n</b>", True)
        self.assertEqual((caught.exception.code, caught.exception.lineno), (expat.errors.codes["mismatched tag"], 2))

    def test_an_exception_in_a_handler_stops_the_parser(self):
        parser = expat.ParserCreate()
        seen = []
        def start(name, attributes):
            seen.append(name)
            raise LookupError(name)
        parser.StartElementHandler = start
        parser.EndElementHandler = seen.append
        self.assertRaisesRegex(LookupError, "b", parser.Parse, b"<b><c/></b>")
        self.assertEqual(seen, ["b"])

    def test_a_handler_cannot_parse(self):
        parser = expat.ParserCreate()
        parser.StartElementHandler = lambda *_: parser.Parse(b"<x/>")
        self.assertRaisesRegex(RuntimeError, r"cannot call Parse\(\) from within a handler", parser.Parse, b"<a/>", True)

    def test_encodings_of_python_are_known(self):
        parser = expat.ParserCreate()
        text = []
        parser.CharacterDataHandler = text.append
        parser.Parse("<?xml version='1.0' encoding='koi8-r'?><a>\u0416</a>".encode("koi8-r"), True)
        self.assertEqual(text, ["\u0416"])


class Trees(unittest.TestCase):
    def test_element_trees_round_trip(self):
        source = '<a xmlns:n="urn:n"><n:b k="v">t</n:b>tail</a>'
        tree = ElementTree.fromstring(source)
        self.assertEqual(tree[0].tag, "{urn:n}b")
        self.assertEqual(ElementTree.tostring(tree, "unicode").replace("ns0", "n"), source)

    def test_documents_round_trip(self):
        source = '<?xml version="1.0" ?><a k="v">t<b/></a>'
        self.assertEqual(xml.dom.minidom.parseString(source).toxml(), source)


if __name__ == "__main__":
    unittest.main()
