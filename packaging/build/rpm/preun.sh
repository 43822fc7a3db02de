#!/bin/sh
# %preun: $1 is 0 at a removal. At an upgrade everything stays open.

[ "$1" -eq 0 ] || exit 0

for record in /etc/rouse/*/installed.json; do
  [ -e "$record" ] || continue
  site=$(basename "$(dirname "$record")")
  echo "rouse: the site $site is left without its program; with rouse installed, \"rouse uninstall $site\" removes it" >&2
done

if command -v systemctl >/dev/null; then
  if [ -d /run/systemd/system ]; then
    # Sockets first, so that nobody wakes a service again.
    systemctl stop rouse.socket rouse-http.socket rouse-renew.timer 'rouse-run@*.socket' 'rouse-inetd@*.socket' || :
    systemctl stop rouse.service rouse-dispatch.service rouse-renew.service 'rouse-run@*.service' 'rouse-inetd@*.service' || :
    # One that failed would be listed for as long as the machine is up.
    systemctl reset-failed rouse.socket rouse-http.socket rouse.service rouse-dispatch.service rouse-renew.service 'rouse-run@*' 'rouse-inetd@*' 2>/dev/null || :
  fi
  systemctl --no-reload disable rouse.socket rouse-http.socket rouse-renew.timer rouse-dispatch.service >/dev/null 2>&1 || :
fi

# The page that the installation put there, if nobody changed it.
if cmp -s /usr/share/rouse/index.html /var/www/html/index.html; then
  rm -f /var/www/html/index.html
  rmdir --ignore-fail-on-non-empty /var/www/html || :
  [ -e /var/www/html ] || rmdir --ignore-fail-on-non-empty /var/www || :
fi
exit 0
