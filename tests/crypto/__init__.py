"""Tests of p2pchat/crypto."""
