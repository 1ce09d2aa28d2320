"""Pricing says what an order costs."""
