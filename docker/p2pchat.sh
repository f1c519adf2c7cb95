#!/bin/sh
# The command `p2pchat` inside a container: `docker exec` begins as root, the program goes on as the user p2pchat.
[ "$(id -u)" = 0 ] || exec /opt/p2pchat/bin/p2pchat "$@"
exec setpriv --reuid=p2pchat --regid=p2pchat --init-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
    env HOME=/var/lib/p2pchat USER=p2pchat /opt/p2pchat/bin/p2pchat "$@"
