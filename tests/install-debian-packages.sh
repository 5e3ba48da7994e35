#!/bin/sh
# Installs what some tests need beside Python: promtool (the Prometheus rules) and Chromium (the demo in a browser).
set -eu
missing=""
for package in prometheus chromium; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -n "$missing" ] || { echo "==> Debian packages for the tests are there"; exit 0; }
echo "==> installing Debian packages for the tests:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# No service may start by itself here: the tests start what they need, on ports of their own.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
trap 'rm -f /usr/sbin/policy-rc.d' EXIT
apt-get install -y -qq --no-install-recommends $missing >/dev/null
