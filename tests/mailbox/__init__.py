"""Tests of p2pchat/mailbox."""
