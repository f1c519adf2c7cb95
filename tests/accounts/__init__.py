"""Tests of p2pchat/accounts."""
