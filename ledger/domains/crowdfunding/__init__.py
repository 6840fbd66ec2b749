"""Campaigns that fans back before the product exists."""
