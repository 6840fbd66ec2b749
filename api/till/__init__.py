"""The till service: a shop's POS sends sales, and has signed receipts back, also without a network."""
