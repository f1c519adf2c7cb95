"""Tests of p2pchat/server."""
