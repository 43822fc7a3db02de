#!/bin/sh
# %post: the number of versions that are installed now is $1, 1 at a first installation. Presets decide what is enabled then:
# by ours the sockets, on loopback.

if [ ! -e /var/www/html ] && [ ! -L /var/www/html ] && grep -qsx SERVER_ROOT=/var/www/html /etc/rouse/rouse.env; then
  { install -d -m 755 /var/www /var/www/html && install -m 644 /usr/share/rouse/index.html /var/www/html/index.html; } ||
    echo 'rouse: there is no page in /var/www/html: put one there, or another SERVER_ROOT into /etc/rouse/rouse.env' >&2
fi

# HTTPS needs a certificate. Where there is none it gets a self-signed one, which rouse-renew.timer renews.
if [ ! -e /etc/rouse/tls.crt ] && [ ! -e /etc/rouse/tls.key ]; then
  rouse renew --directory /etc/rouse ||
    echo 'rouse: there is no certificate, and so no HTTPS: put one into /etc/rouse, as tls.crt and tls.key' >&2
fi

command -v systemctl >/dev/null || exit 0
if [ "$1" -eq 1 ]; then
  systemctl --no-reload preset rouse.socket rouse-http.socket rouse-renew.timer rouse-dispatch.service >/dev/null 2>&1 || :
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || :
  for unit in rouse.socket rouse-http.socket rouse-renew.timer; do
    if systemctl --quiet is-enabled "$unit" 2>/dev/null; then systemctl start "$unit" || :; fi
  done
  # The new program takes over the sockets, in which clients wait meanwhile.
  if [ "$1" -gt 1 ]; then systemctl try-restart rouse.service rouse-dispatch.service || :; fi
fi
exit 0
