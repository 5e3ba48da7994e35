#!/bin/sh
# Installs what some tests need beside Python: promtool (the Prometheus rules), Chromium (the demo in a browser),
# HAProxy (the rolling restart), nginx and wrk (the benchmark); or the packages that it is given.
set -eu
packages="${*:-prometheus chromium haproxy nginx wrk}"
policy=/usr/sbin/policy-rc.d

command -v apt-get >/dev/null || { echo "this is not Debian; install in this system's way: $packages" >&2; exit 1; }
missing=""
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -n "$missing" ] || { echo "==> Debian packages for the tests are there"; exit 0; }
[ "$(id -u)" = 0 ] || { echo "run as root: apt-get install --no-install-recommends$missing" >&2; exit 1; }

echo "==> installing Debian packages for the tests:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# No service may start by itself here: the tests start what they need, on ports of their own. A policy that the
# machine has already is not ours to replace.
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
fi
# shellcheck disable=SC2086  # one word for each package
apt-get install -y -qq --no-install-recommends $missing >/dev/null
for package in $missing; do
    case "$package" in
        # nor at the next start of the machine
        prometheus | nginx | haproxy) if [ -d /run/systemd/system ]; then systemctl disable --quiet "$package"; fi ;;
    esac
done
