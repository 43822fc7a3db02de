#!/bin/sh
# After a removal, and at a purge (deb-postrm(5)): a purge leaves nothing of the package behind.
set -e

case $1 in remove|purge) ;; *) exit 0 ;; esac

if [ "$1" = purge ]; then
  if command -v deb-systemd-helper >/dev/null; then
    deb-systemd-helper purge rouse.socket rouse-http.socket rouse-renew.timer rouse-dispatch.service >/dev/null || true
  fi
  # Links of instances that were enabled point nowhere now.
  for link in /etc/systemd/system/*.wants/rouse-run@* /etc/systemd/system/*.wants/rouse-inetd@*; do
    if [ -L "$link" ] && [ ! -e "$link" ]; then
      rm -f "$link"
      rmdir --ignore-fail-on-non-empty "$(dirname "$link")"
    fi
  done
  rm -f /var/lib/systemd/timers/stamp-rouse-renew.timer
  # A certificate that Rouse made; one from elsewhere is not the package's to remove.
  if sed '/^-/d' /etc/rouse/tls.crt 2>/dev/null | base64 -d 2>/dev/null | grep -aq 'Rouse self-signed certificate'; then
    rm -f /etc/rouse/tls.crt /etc/rouse/tls.key
  fi
  rmdir --ignore-fail-on-non-empty /etc/rouse/run /etc/rouse/inetd /etc/rouse 2>/dev/null || true
fi

if [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
fi
