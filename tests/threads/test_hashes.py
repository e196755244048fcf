"""Hash and HMAC objects of OpenSSL that several threads use at once."""
import hashlib
import hmac
import unittest

try:
    import _hashlib
except ImportError:
    _hashlib = None

from together import together

SMALL, LARGE = b"x" * 64, b"y" * 100_000


@unittest.skipIf(_hashlib is None, "built without OpenSSL")
class Hashes(unittest.TestCase):
    def test_updates_of_one_hash_from_many_threads_are_whole(self):
        # All pieces are equal, so their order is no matter: none may be lost or torn.
        for data, count in ((SMALL, 400), (LARGE, 20)):
            for make in (_hashlib.openssl_sha256, lambda: _hashlib.hmac_new(b"key", digestmod="sha256")):
                shared, alone = make(), make()
                together(lambda _: [shared.update(data) for _ in range(count)])
                for _ in range(4 * count):
                    alone.update(data)
                self.assertEqual(shared.hexdigest(), alone.hexdigest())

    def test_digests_and_copies_are_those_of_some_moment(self):
        for make in (_hashlib.openssl_md5, lambda: _hashlib.hmac_new(b"key", digestmod="md5")):
            shared, alone = make(), make()
            known = {alone.digest()}
            for _ in range(60):
                alone.update(LARGE)
                known.add(alone.digest())
            seen = []

            def work(number):
                for _ in range(30):
                    if number < 2:
                        shared.update(LARGE)
                    else:
                        seen.append(shared.digest())
                        seen.append(shared.copy().digest())

            together(work)
            self.assertEqual(shared.digest(), alone.digest())
            self.assertLessEqual(set(seen), known)

    def test_threads_make_hashes_and_keys_independently(self):
        expected = (hashlib.sha3_256(SMALL).digest(), hmac.digest(b"k", LARGE, "sha512"), hashlib.pbkdf2_hmac("sha1", b"p", b"s", 10),
                    hashlib.scrypt(b"p", salt=b"s", n=4, r=8, p=1), hashlib.shake_128(LARGE).digest(10))
        wrong = []

        def work(_):
            for _ in range(20):
                found = (hashlib.sha3_256(SMALL).digest(), hmac.digest(b"k", LARGE, "sha512"), hashlib.pbkdf2_hmac("sha1", b"p", b"s", 10),
                         hashlib.scrypt(b"p", salt=b"s", n=4, r=8, p=1), hashlib.shake_128(LARGE).digest(10))
                if found != expected:
                    wrong.append(found)

        together(work)
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
