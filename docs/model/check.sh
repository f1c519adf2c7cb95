#!/bin/sh
# docs/model/check.sh [NAME ...]: check slot.pml, and that each planted mistake is found (all of them, or the named runs).
# Needs spin and a C compiler (Debian: apt-get install spin gcc).  MEGABYTES: memory that one run may take, 3000.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
wanted=" $* "
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0 ran=0

run() { # name, expected errors (0 or 1), then spin's definitions
    name=$1 expected=$2
    shift 2
    case $wanted in "  " | *" $name "*) ;; *) return 0 ;; esac
    ran=$((ran + 1))
    spin -a "$@" "$here/slot.pml" >spin.log 2>&1 || { cat spin.log >&2; exit 1; }
    gcc -O2 -DSAFETY -DNOCLAIM -DCOLLAPSE -DMEMLIM="${MEGABYTES:-3000}" -o pan pan.c
    ./pan -m100000 -w24 -E >out.txt 2>&1 || true
    errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' out.txt)
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored$/\1/p' out.txt)
    memory=$(sed -n 's/^ *\([0-9.]*\)\ttotal actual memory usage/\1/p' out.txt)
    seconds=$(sed -n 's/^pan: elapsed time \([0-9.]*\) seconds/\1/p' out.txt)
    steps=$(sed -n 's/.*depth reached \([0-9]*\),.*/\1/p' out.txt)
    verdict=passed
    if [ "$expected" = 1 ]; then verdict=refuted; fi
    if grep -q 'Search not completed' out.txt && [ "$expected" = 0 ]; then verdict="NOT COMPLETED"; fi
    if [ "${errors:-none}" != "$expected" ]; then verdict="WRONG: ${errors:-no} errors, $expected expected"; fi
    case $verdict in passed | refuted) ;; *) failed=1 ;; esac
    printf '%-22s %9s states  %4s deep  %6.0f MB  %5.0f s  %s\n' \
        "$name" "${states:--}" "${steps:--}" "${memory:-0}" "${seconds:-0}" "$verdict"
}

run election 0 -DELECTION
run create-create 0
run create-create-mirror 0 -DPLAN=2
run create-read 0 -DOP1=READ
run create-swap 0 -DOP1=SWAP
run retries 0 -DROUNDS=2 -DPLAN=0

run IGNORE_ACCEPTED 1 -DELECTION -DIGNORE_ACCEPTED
run NO_EPOCH_TEST 1 -DNO_EPOCH_TEST
run SERVE_WHILE_SEALED 1 -DSERVE_WHILE_SEALED
run NEVER_SEAL 1 -DNEVER_SEAL
run PULL_FROM_ONE 1 -DPULL_FROM_ONE
run SKIP_PULL 1 -DSKIP_PULL
run IGNORE_PROMISES 1 -DIGNORE_PROMISES
run NO_WRITE_BACK 1 -DNO_WRITE_BACK -DOP1=READ
run AGREED_IN_ANY_EPOCH 1 -DAGREED_IN_ANY_EPOCH
run REPLY_BEFORE_SYNC 1 -DREPLY_BEFORE_SYNC
run EMPTY_DISK 1 -DEMPTY_DISK
if [ "$ran" -lt $# ] || [ "$ran" = 0 ]; then
    echo "$ran of $# named runs exist; docs/model/README.md has their names." >&2
    exit 2
fi
exit $failed
