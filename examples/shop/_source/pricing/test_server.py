import http.client
import json
import threading
import unittest

from pricing.server import Handler, Server


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=5)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def test_a_quote(self):
        question = {"customer": {"id": "c-1", "tier": "gold"}, "lines": [{"sku": "s", "quantity": 1, "list_price": 40_000}]}
        status, body = self.ask("POST", "/quotes", json.dumps(question))
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(body), {"total": 38_000, "discount": 2_000})

    def test_refusals(self):
        for method, path, body, want in [
            ("POST", "/quotes", "not JSON", 400),
            ("POST", "/quotes", "{}", 400),
            ("POST", "/prices", "{}", 404),
            ("GET", "/quotes", None, 404),
        ]:
            with self.subTest(f"{method} {path}"):
                self.assertEqual(self.ask(method, path, body)[0], want)

    def test_health(self):
        self.assertEqual(self.ask("GET", "/healthz")[0], 204)


if __name__ == "__main__":
    unittest.main()
