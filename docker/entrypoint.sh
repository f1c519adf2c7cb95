#!/bin/sh
# Keeps the route to the other network as root, and runs the command as the user p2pchat, who may not change it.
#
# ROUTES: "NETWORK via ROUTER" for each network behind a router, separated by commas.  A container that is disconnected from
# its network and connected again has lost its routes, so they are set again every second.
set -eu
[ "$(id -u)" = 0 ] || exec "$@"

keep_routes() {
    echo "$ROUTES" | sed 's/^ */,/; s/, */\nroute replace /g' | sed 1d >/run/routes
    while :; do
        ip -force -batch /run/routes || true # no network at this moment, perhaps
        sleep 1
    done
}

if [ -n "${ROUTES:-}" ]; then keep_routes >/dev/null 2>&1 & fi
mkdir -p /var/lib/p2pchat
chown p2pchat: /var/lib/p2pchat
exec setpriv --reuid=p2pchat --regid=p2pchat --init-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
    env HOME=/var/lib/p2pchat USER=p2pchat "$@"
