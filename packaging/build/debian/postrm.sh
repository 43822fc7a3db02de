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
  # A certificate that Rouse made goes, with its key: that ends in the public key, 64 bytes that stand in the certificate too
  # (RFC 5915). What is from elsewhere, such as a key that waits for its certificate, is not the package's to remove.
  hex() { sed '/^-/d' "$1" 2>/dev/null | base64 -d 2>/dev/null | od -An -v -tx1 | tr -d ' \n'; }
  for made in /etc/rouse/tls.crt.new /etc/rouse/tls.crt; do
    sed '/^-/d' "$made" 2>/dev/null | base64 -d 2>/dev/null | grep -aq 'Rouse self-signed certificate' || continue
    for key in /etc/rouse/tls.key.new /etc/rouse/tls.key; do
      public=$(hex "$key" | tail -c 128)
      if [ "${#public}" -eq 128 ] && hex "$made" | grep -q "$public"; then rm -f "$key"; fi
    done
    if [ ! -e /etc/rouse/tls.key ] && [ ! -L /etc/rouse/tls.key ]; then rm -f "$made"; fi
  done
  rmdir --ignore-fail-on-non-empty /etc/rouse/run /etc/rouse/inetd /etc/rouse 2>/dev/null || true
fi

if [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
fi
