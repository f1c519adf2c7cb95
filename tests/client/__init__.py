"""Tests of p2pchat/client."""
