#!/bin/sh
# Before a removal (deb-prerm(5)): nothing listens or runs any more. At an upgrade everything stays open.
set -e

[ "$1" = remove ] || exit 0

for record in /etc/rouse/*/installed.json; do
  [ -e "$record" ] || continue
  site=$(basename "$(dirname "$record")")
  echo "rouse: the site $site is left without its program; with rouse installed, \"rouse uninstall $site\" removes it" >&2
done

if [ -d /run/systemd/system ]; then
  # Sockets first, so that nobody wakes a service again.
  deb-systemd-invoke stop rouse.socket rouse-http.socket rouse-renew.timer 'rouse-run@*.socket' 'rouse-inetd@*.socket' >/dev/null || true
  deb-systemd-invoke stop rouse.service rouse-dispatch.service rouse-renew.service 'rouse-run@*.service' 'rouse-inetd@*.service' >/dev/null || true
  # One that failed would be listed for as long as the machine is up.
  systemctl --system reset-failed rouse.socket rouse-http.socket rouse.service rouse-dispatch.service rouse-renew.service 'rouse-run@*' 'rouse-inetd@*' 2>/dev/null || true
fi

# The page that the installation put there, if nobody changed it.
if cmp -s /usr/share/rouse/index.html /var/www/html/index.html; then
  rm -f /var/www/html/index.html
  rmdir --ignore-fail-on-non-empty /var/www/html || true
  [ -e /var/www/html ] || rmdir --ignore-fail-on-non-empty /var/www || true
fi
