"""Tests of p2pchat/simulation."""
