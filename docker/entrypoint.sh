#!/bin/sh
# Sets the route to the other network as root, then runs the command as the user p2pchat, who may not.
#
# ROUTES: "NETWORK via ROUTER" for each network behind a router, separated by commas.
set -eu
if [ "$(id -u)" = 0 ]; then
    echo "${ROUTES:-}" | tr ',' '\n' | while read -r network via router; do
        [ -z "$network" ] || ip route replace "$network" "$via" "$router"
    done
    mkdir -p /var/lib/p2pchat && chown p2pchat: /var/lib/p2pchat
    exec setpriv --reuid=p2pchat --regid=p2pchat --init-groups --inh-caps=-all --no-new-privs \
        env HOME=/var/lib/p2pchat USER=p2pchat "$@"
fi
exec "$@"
