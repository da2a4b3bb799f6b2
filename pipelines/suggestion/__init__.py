"""Zones proposed from what the observation log shows: floor, doors, dwells. A person accepts them or not."""
