"""Tests; each package mirrors one of p2pchat."""

import contextlib

with contextlib.suppress(ImportError):  # the tests with real processes do without
    from hypothesis import HealthCheck, settings

    # How long an example takes says how busy the machine is, and nothing about what is tested.
    settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("untimed")
