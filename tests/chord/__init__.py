"""Tests of p2pchat/chord."""
