"""Tests of p2pchat/wire."""
