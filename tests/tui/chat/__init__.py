"""Tests of p2pchat/tui/chat."""
