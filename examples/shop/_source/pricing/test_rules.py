import unittest

from pricing import rules
from pricing.rules import Customer, Line


class QuoteTest(unittest.TestCase):
    def test_list_price(self):
        quote = rules.quote(Customer("c-1", "basic"), [Line("sku-001", 2, 700)])
        self.assertEqual(quote, rules.Quote(total=1400, discount=0))

    def test_loyalty(self):
        for tier, discount in {"basic": 300, "silver": 900, "gold": 1500}.items():
            with self.subTest(tier):
                quote = rules.quote(Customer("c-1", tier), [Line("sku-001", 1, 30_000)])
                self.assertEqual(quote.discount, discount)

    def test_bulk(self):
        quote = rules.quote(Customer("c-1", "basic"), [Line("sku-001", 10, 700), Line("sku-002", 9, 700)])
        self.assertEqual(quote.discount, 140)

    def test_a_small_order_needs_no_tier(self):
        quote = rules.quote(Customer("c-1"), [Line("sku-001", 1, 700)])
        self.assertEqual(quote.total, 700)

    def test_a_price_list_has_no_customer(self):
        quote = rules.quote(None, [Line("sku-001", 1, 30_000)])
        self.assertEqual(quote, rules.Quote(total=30_000, discount=0))


class ParseTest(unittest.TestCase):
    def test_a_question(self):
        customer, lines = rules.parse(
            {"customer": {"id": "c-1", "tier": "gold"}, "lines": [{"sku": "sku-001", "quantity": 2, "list_price": 700}]}
        )
        self.assertEqual(customer, Customer("c-1", "gold"))
        self.assertEqual(lines, [Line("sku-001", 2, 700)])

    def test_what_is_refused(self):
        line = {"sku": "sku-001", "quantity": 2, "list_price": 700}
        for name, question in {
            "a customer without an id": {"customer": {"tier": "gold"}, "lines": [line]},
            "no lines": {"customer": {"id": "c-1"}, "lines": []},
            "not an object": [],
            "a line without a price": {"customer": {"id": "c-1"}, "lines": [{"sku": "sku-001", "quantity": 2}]},
            "nothing of it": {"customer": {"id": "c-1"}, "lines": [line | {"quantity": 0}]},
            "a price in words": {"customer": {"id": "c-1"}, "lines": [line | {"list_price": "seven"}]},
        }.items():
            with self.subTest(name), self.assertRaises(rules.InvalidQuestion):
                rules.parse(question)


if __name__ == "__main__":
    unittest.main()
