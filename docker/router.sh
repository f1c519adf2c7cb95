#!/bin/sh
# Joins the networks of this container: forwards packets, and the multicast by which nodes are found, in all directions.
#
# MULTICAST: the group, 239.192.74.1 unless told.  RELAY=1: the relay in Python, which is also used where the kernel cannot
# forward multicast.
set -eu
group=${MULTICAST:-239.192.74.1}
[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || echo 1 >/proc/sys/net/ipv4/ip_forward
interfaces=$(sed -nE 's/^ *(eth[^:]*):.*/\1/p' /proc/net/dev | sort | tr '\n' ' ')
if [ "${RELAY:-0}" = 1 ] || ! [ -e /proc/net/ip_mr_vif ] || ! command -v smcrouted >/dev/null; then
    echo "router: forwarding between $interfaces, multicast $group by the relay"
    # shellcheck disable=SC2086
    exec python3 -u "$(dirname "$0")/relay.py" "$group" $interfaces
fi
{
    for each in $interfaces; do echo "phyint $each enable ttl-threshold 1"; done # all of them before the first route
    for each in $interfaces; do
        echo "mgroup from $each group $group"
        for other in $interfaces; do
            [ "$each" = "$other" ] || echo "mroute from $each group $group to $other"
        done
    done
} >/run/smcroute.conf
echo "router: forwarding between $interfaces, multicast $group by the kernel"
exec smcrouted -n -N -f /run/smcroute.conf
