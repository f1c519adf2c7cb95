"""Tests of p2pchat/tui/ring."""
