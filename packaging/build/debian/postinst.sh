#!/bin/sh
# After an installation or an upgrade (deb-postinst(5)): the sockets are enabled and open, on loopback. On a machine without
# systemd the helpers only keep in mind what is to be enabled.
set -e

case $1 in
configure|abort-upgrade|abort-deconfigure|abort-remove) ;;
*) exit 0 ;;
esac

# A site whose folder is not there does not start.
if [ ! -e /var/www/html ] && [ ! -L /var/www/html ] && grep -qsx SERVER_ROOT=/var/www/html /etc/rouse/rouse.env; then
  { install -d -m 755 /var/www /var/www/html && install -m 644 /usr/share/rouse/index.html /var/www/html/index.html; } ||
    echo 'rouse: there is no page in /var/www/html: put one there, or another SERVER_ROOT into /etc/rouse/rouse.env' >&2
fi

# HTTPS needs a certificate. Where there is none it gets a self-signed one, which rouse-renew.timer renews.
if [ ! -e /etc/rouse/tls.crt ] && [ ! -e /etc/rouse/tls.key ]; then
  rouse renew --directory /etc/rouse ||
    echo 'rouse: there is no certificate, and so no HTTPS: put one into /etc/rouse, as tls.crt and tls.key' >&2
fi

# What somebody disabled stays disabled.
for unit in rouse.socket rouse-http.socket rouse-renew.timer; do
  if deb-systemd-helper --quiet was-enabled "$unit"; then
    deb-systemd-helper enable "$unit" >/dev/null || true
  else
    deb-systemd-helper update-state "$unit" >/dev/null || true
  fi
done
# Nobody but the user enables this one, and a purge is to disable it.
deb-systemd-helper update-state rouse-dispatch.service >/dev/null || true

if [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
  # Those that are open stay as they are.
  deb-systemd-invoke start rouse.socket rouse-http.socket rouse-renew.timer >/dev/null || true
  # The new program takes over the sockets, in which clients wait meanwhile. Servers that rouse run woke stay awake: they
  # have it at their next start.
  if [ -n "$2" ]; then
    deb-systemd-invoke try-restart rouse.service rouse-dispatch.service >/dev/null || true
  fi
fi
