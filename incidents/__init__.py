"""Incidents: the rules that find them, the ledger, coverage, evidence and export."""
