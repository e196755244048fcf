"""ssl over sockets, over memory and under asyncio: extensions/ssl_*.cpp. Certificates are made by the openssl program."""
import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

try:
    import ssl
except ImportError:
    raise unittest.SkipTest("built without OpenSSL")
if shutil.which("openssl") is None:
    raise unittest.SkipTest("there is no openssl program to make a certificate")


def setUpModule():
    global server_context, client_context, certificate
    folder = tempfile.mkdtemp()
    unittest.addModuleCleanup(shutil.rmtree, folder)
    certificate, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(certificate, key)
    client_context = ssl.create_default_context(cafile=certificate)


class Sockets(unittest.TestCase):
    def talk(self, context, hostname):
        ours, theirs = socket.socketpair()
        def serve():
            try:
                with server_context.wrap_socket(theirs, server_side=True) as connection:
                    while data := connection.recv(100000):
                        connection.sendall(data.upper())
            except OSError:
                theirs.close()
        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(ours.close)
        ours.settimeout(20)
        return context.wrap_socket(ours, server_hostname=hostname)

    def test_data_goes_both_ways(self):
        with self.talk(client_context, "localhost") as connection:
            self.assertEqual(connection.version(), "TLSv1.3")
            connection.sendall(b"text" * 20000)
            got = b""
            while len(got) < 80000:
                got += connection.recv(100000)
            self.assertEqual(got, b"TEXT" * 20000)
            names = connection.getpeercert()["subjectAltName"]
            self.assertEqual(names, (("DNS", "localhost"), ("IP Address", "127.0.0.1")))
            self.assertRaises(TimeoutError, lambda: connection.settimeout(0.01) or connection.recv(1))

    def test_a_certificate_for_another_name_is_refused(self):
        with self.assertRaisesRegex(ssl.SSLCertVerificationError, "Hostname mismatch, certificate is not valid for 'other'") as e:
            self.talk(client_context, "other")
        self.assertEqual((e.exception.verify_code, e.exception.reason), (62, "CERTIFICATE_VERIFY_FAILED"))

    def test_an_unknown_issuer_is_refused(self):
        with self.assertRaisesRegex(ssl.SSLCertVerificationError, "self-signed certificate"):
            self.talk(ssl.create_default_context(cafile=None, cadata=None), "localhost")

    def test_an_error_of_the_connection_has_the_number_by_which_programs_know_it(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        connection = client_context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError) as caught:
            connection.do_handshake()
        self.assertEqual(caught.exception.args[0], ssl.SSL_ERROR_WANT_READ)
        incoming.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with self.assertRaisesRegex(ssl.SSLError, "WRONG_VERSION_NUMBER") as caught:
            connection.do_handshake()
        self.assertEqual((caught.exception.errno, caught.exception.args[0]), (ssl.SSL_ERROR_SSL,) * 2)
        self.assertEqual((caught.exception.library, caught.exception.reason), ("SSL", "WRONG_VERSION_NUMBER"))

    def test_one_thread_reads_while_another_writes(self):
        with self.talk(client_context, "localhost") as connection:
            connection.settimeout(None)
            got = []
            thread = threading.Thread(target=lambda: got.append(connection.recv(10)))
            thread.start()
            connection.sendall(b"x")
            thread.join(20)
            self.assertEqual(got, [b"X"])


class Asyncio(unittest.TestCase):
    def test_streams(self):
        async def serve(reader, writer):
            writer.write((await reader.readline()).upper() * 10000)
            await writer.drain()
            writer.close()
        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context)
            async with server:
                port = server.sockets[0].getsockname()[1]
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_context)
                writer.write(b"line\n")
                data = await reader.read()
                writer.close()
            return data
        self.assertEqual(asyncio.run(main()), b"LINE\n" * 10000)


if __name__ == "__main__":
    unittest.main()
