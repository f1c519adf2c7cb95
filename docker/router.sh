#!/bin/sh
# Joins the networks of this container: forwards packets, and the multicast by which nodes are found, in all directions.
#
# MULTICAST: the group, 239.192.74.1 unless told.  Where the kernel cannot forward multicast, a relay in Python repeats the questions.
set -eu
group=${MULTICAST:-239.192.74.1}
[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || echo 1 >/proc/sys/net/ipv4/ip_forward
interfaces=$(ls /sys/class/net | grep '^eth' | tr '\n' ' ')
for each in $interfaces; do
    echo "phyint $each enable ttl-threshold 1"
    echo "mgroup from $each group $group"
    for other in $interfaces; do
        [ "$each" = "$other" ] || echo "mroute from $each group $group to $other"
    done
done >/run/smcroute.conf
echo "router: forwarding between $interfaces, multicast $group"
exec smcrouted -n -N -f /run/smcroute.conf
