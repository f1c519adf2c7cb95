#!/usr/bin/env bash
# Builds the images and starts a ring of five servers and three clients, then says what to do next.
#
# Needs Docker with `docker compose` or `docker-compose`.  Without a registry: docker/base.sh and docker/wheels.sh first, then
# BASE=p2pchat-base docker/startup.sh
set -euo pipefail
cd "$(dirname "$0")"
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
"${compose[@]}" --file compose.yaml --project-name p2pchat build
"${compose[@]}" --file compose.yaml --project-name p2pchat up --detach
printf 'waiting for five servers '
for _ in $(seq 120); do
    ready=$(docker ps --filter health=healthy --filter name='^server[1-5]$' --format '{{.Names}}' | wc -l)
    [ "$ready" -lt 5 ] || break
    printf .
    sleep 1
done
echo
if [ "$ready" -lt 5 ]; then
    echo "only $ready of 5 servers are ready; see: docker logs server1" >&2
    exit 1
fi
cat <<'TEXT'
The ring stands. Now:
  docker exec -it --user p2pchat client1 p2pchat            register somebody, and chat
  docker exec -it --user p2pchat client2 p2pchat            the other one, in a second terminal
  docker exec -it --user p2pchat server1 p2pchat ring view  watch the ring
  docker network disconnect p2pchat_servers server3         take a server away …
  docker network connect --ip 10.74.1.99 p2pchat_servers server3   … and give it back elsewhere
  docker-compose -f docker/compose.yaml -p p2pchat down     stop; add -v to delete everything
TEXT
