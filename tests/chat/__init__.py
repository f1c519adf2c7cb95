"""Tests of p2pchat/chat."""
