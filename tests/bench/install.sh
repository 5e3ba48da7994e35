#!/bin/sh
# Sets up what `make bench` measures: nginx, haproxy and wrk from Debian; the project, Caddy, Traefik and Envoy from
# locked wheels in an environment of their own, made with a profile-guided CPython if there is one.
#   sh tests/bench/install.sh FOLDER PYTHON        PYTHON serves where no profile-guided one is found
set -eu
folder=$1
python=$2

sh tests/install-debian-packages.sh nginx haproxy wrk python3-venv

for candidate in "$python" /usr/bin/python3.11 /usr/bin/python3.12 /usr/bin/python3.13 /usr/bin/python3.14; do
    if said=$("$candidate" tests/bench/python_build.py 2>/dev/null); then python=$candidate; break; fi
done
said=${said:-$("$python" tests/bench/python_build.py)} || true
echo "==> setting up $folder with $said"
"$python" -m venv --clear "$folder"
pip="$folder/bin/python -m pip install -q --disable-pip-version-check"
$pip --require-hashes -r requirements.lock
$pip --require-hashes -r tests/bench/requirements-bench.lock
$pip --no-deps --no-build-isolation -e .
touch "$folder/.ready"
