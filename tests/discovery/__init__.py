"""Tests of p2pchat/discovery."""
