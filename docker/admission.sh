#!/bin/sh
# Makes the ring's authority once, and admits each node whose number is given; /nodes/NUMBER is its volume.
set -eu
[ -e /authority/ring ] || p2pchat ring create /authority/ring --name "${RING_NAME:-compose}"
for number in "$@"; do
    data=/nodes/$number/node
    [ -e "$data/admission.pem" ] || p2pchat ring admit --authority /authority/ring --data "$data"
    chown -R 7400:7400 "/nodes/$number"
done
chmod -R go= /authority
