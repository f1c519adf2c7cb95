"""Tests; each package mirrors one of p2pchat."""
