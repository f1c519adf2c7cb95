#!/usr/bin/env bash
# Puts the wheels that an image needs into docker/wheels, so that nothing is fetched while it is built.
#
#   docker/wheels.sh [VERSION]     (of the Python in the image: 3.11 unless told, which is what docker/base.sh has)
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:-3.11}
machine=$(uname -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
{
    "$work/venv/bin/python" docker/requirements.py setup.cfg
    echo setuptools wheel | tr ' ' '\n'
} >"$work/wanted"
platforms=()
for glibc in 2_36 2_35 2_34 2_31 2_28 2_27 2_26 2_24 2_17 2_12 2_5; do platforms+=(--platform "manylinux_${glibc}_$machine"); done
platforms+=(--platform "manylinux2014_$machine")
"$work/venv/bin/pip" download --quiet --disable-pip-version-check --dest "$work/wheels" --requirement "$work/wanted" \
    --only-binary :all: --implementation cp --python-version "$version" "${platforms[@]}"
rm -rf docker/wheels
mv "$work/wheels" docker/wheels
echo "$(find docker/wheels -name '*.whl' | wc -l) wheels in docker/wheels, for Python $version"
