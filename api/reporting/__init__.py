"""Reports for people who check: what an audit found as JSON, as lines, and as a page with plots; a brand's receipts recomputed."""
