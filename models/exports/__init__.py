"""Exports of weights: how they are made, verified and kept, and which of them runs."""
