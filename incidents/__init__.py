"""What is flagged and what becomes of it: rules, ledger, coverage and evidence."""
