#!/usr/bin/env bash
# Puts the wheels that an image needs into docker/wheels, for builds without a network.  The Python that runs this must be
# of the same version as the base image's.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf docker/wheels && mkdir docker/wheels
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/pip" wheel --quiet --wheel-dir docker/wheels . setuptools wheel
rm -f docker/wheels/p2pchat-*.whl
echo "$(ls docker/wheels | wc -l) wheels in docker/wheels"
