#!/bin/sh
# Makes the ring's authority once, and admits each node whose number is given; /nodes/NUMBER is its volume.
set -eu
p2pchat=/opt/p2pchat/bin/p2pchat
[ -e /authority/ring ] || $p2pchat ring create /authority/ring --name "${RING_NAME:-compose}"
for number in "$@"; do
    folder=/nodes/$number/node
    [ -e "$folder/admission.pem" ] || $p2pchat ring admit --authority /authority/ring --data "$folder"
    chown -R 7400:7400 "/nodes/$number"
done
chmod -R go= /authority
