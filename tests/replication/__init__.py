"""Tests of p2pchat/replication."""
