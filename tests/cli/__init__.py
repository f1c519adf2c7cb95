"""Tests of p2pchat/cli."""
