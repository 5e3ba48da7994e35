#!/bin/sh
# Sets up what `make bench` measures: nginx, haproxy and wrk from Debian; the project, Caddy, Traefik and Envoy from
# locked wheels in an environment of their own, made with a profile-guided CPython if there is one.
#   sh tests/bench/install.sh FOLDER PYTHON        PYTHON serves where no profile-guided one is found
set -eu
folder=$1
python=$2
PATH=$PATH:/usr/sbin # where Debian keeps nginx and haproxy, out of an ordinary user's sight

missing=""
for program in nginx haproxy wrk; do
    command -v $program >/dev/null || missing="$missing $program"
done
if [ -x /usr/bin/python3 ]; then
    /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
fi
# shellcheck disable=SC2086  # one word for each package
[ -z "$missing" ] || sh tests/install-debian-packages.sh $missing

for candidate in "$python" /usr/bin/python3.11 /usr/bin/python3.12 /usr/bin/python3.13 /usr/bin/python3.14; do
    if "$candidate" tests/bench/python_build.py >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
echo "==> setting up $folder with $("$python" tests/bench/python_build.py || true) (some 30 s)"
"$python" -m venv --clear "$folder"
pip="$folder/bin/python -m pip install -q --disable-pip-version-check"
$pip --require-hashes -r requirements.lock
$pip --require-hashes -r tests/bench/requirements-bench.lock
$pip --no-deps --no-build-isolation -e .
touch "$folder/.ready"
