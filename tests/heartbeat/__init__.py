"""Tests of p2pchat/heartbeat."""
