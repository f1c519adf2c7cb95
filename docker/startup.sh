#!/usr/bin/env bash
# Builds the images and starts a ring of five servers and three clients, then says what to do next.
#
#   docker/startup.sh                       images on top of python:3.12-slim
#   BASE=p2pchat-base docker/startup.sh     where no registry can be reached: the base is made of Debian's packages first (as root)
#
# Needs Docker with `docker compose` or `docker-compose`.
set -euo pipefail
cd "$(dirname "$0")"
WAIT_SECONDS=180
if docker compose version >/dev/null 2>&1; then
    compose="docker compose"
elif command -v docker-compose >/dev/null; then
    compose=docker-compose
else
    echo "neither 'docker compose' nor 'docker-compose' is here; install one of them" >&2
    exit 1
fi
if [ "${BASE:-}" = p2pchat-base ]; then
    ./base.sh
    ./wheels.sh
elif [ -z "${BASE:-}" ]; then
    rm -rf wheels # left over from another base
fi
$compose --file compose.yaml --project-name p2pchat build
$compose --file compose.yaml --project-name p2pchat up --detach
printf 'waiting for five servers '
ready=0
while [ "$ready" -lt 5 ] && [ "$SECONDS" -lt $((WAIT_SECONDS + ${began:=$SECONDS})) ]; do
    ready=$(docker ps --filter health=healthy --filter name='^server[1-5]$' --format '{{.Names}}' | wc -l)
    printf .
    sleep 1
done
echo
if [ "$ready" -lt 5 ]; then
    echo "only $ready of 5 servers are ready; see: docker ps --all; docker logs server1" >&2
    exit 1
fi
cat <<TEXT
The ring stands. Now:
  docker exec -it client1 p2pchat            register somebody, and chat
  docker exec -it client2 p2pchat            the other one, in a second terminal
  docker exec -it server1 p2pchat ring view  watch the ring
  docker network disconnect p2pchat_servers server3                take a server away ...
  docker network connect --ip 10.74.1.99 p2pchat_servers server3   ... and give it back elsewhere
  $compose -f docker/compose.yaml -p p2pchat down     stop; add -v to delete everything
TEXT
