"""Rings of real hosts: Docker containers of p2pchat's own images, on two networks that a router joins."""
