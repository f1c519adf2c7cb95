#!/usr/bin/env bash
# Makes the image p2pchat-base from Debian's packages, for machines that reach no registry of images.
#
#   docker/base.sh [IMAGE]     (default p2pchat-base)
#
# Needs root (asks sudo for it), debootstrap (installed if missing) and a Docker engine.  The root file system is kept as a tarball in
# $P2PCHAT_CACHE (default /var/cache/p2pchat), so that a second run takes seconds.
set -euo pipefail
image=${1:-p2pchat-base}
cache=${P2PCHAT_CACHE:-/var/cache/p2pchat}
suite=bookworm
# bookworm's Python is 3.11, what p2pchat needs at least; iproute2 and iputils serve the router and whoever looks for faults,
# libfaketime the tests with a clock that is wrong, systemd those of the units.
packages=ca-certificates,python3,python3-venv,iproute2,iptables,iputils-ping,libfaketime,smcroute,tmux
packages+=,systemd,dbus,libpam-systemd
version=$suite-$(printf '%s' "$packages" | cksum | cut -d' ' -f1)
tarball=$cache/$version.tar

if [ "$(docker image inspect --format '{{index .Config.Labels "p2pchat.base"}}' "$image" 2>/dev/null)" = "$version" ]; then
    echo "image $image is there"
    exit 0
fi
[ "$(id -u)" = 0 ] || exec sudo -n P2PCHAT_CACHE="$cache" "$0" "$@"

mirror() { # the machine's own, since others may not be reachable
    sed -nE 's/^(URIs:|deb( \[[^]]*\])?) *(https?:\/\/[^ ]+).*/\3/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        grep -v security | head -n 1
}

if [ ! -f "$tarball" ]; then
    mkdir -p "$cache"
    command -v debootstrap >/dev/null || {
        apt-get update -q
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -q debootstrap
    }
    root=$(mktemp -d /var/tmp/p2pchat-root.XXXXXX)
    trap 'umount "$root"/* 2>/dev/null || true; rm -rf --one-file-system "$root"' EXIT # debootstrap leaves /proc there when it is ended
    from=$(mirror || true)
    debootstrap --variant=minbase --include="$packages" "$suite" "$root" "${from:-http://deb.debian.org/debian}"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
    tar -C "$root" --exclude=./dev --exclude=./proc --exclude=./sys -cf "$tarball.part" .
    mv "$tarball.part" "$tarball"
fi
before=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null || true)
docker import -c 'ENV LC_ALL=C.UTF-8' -c "LABEL p2pchat.base=$version" -c 'CMD ["python3"]' "$tarball" "$image"
[ -z "$before" ] || docker image rm "$before" >/dev/null 2>&1 || true # in use, perhaps
