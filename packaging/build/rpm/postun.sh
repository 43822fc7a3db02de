#!/bin/sh
# %postun: $1 is 0 after a removal. What was changed in /etc/rouse rpm keeps as .rpmsave.

if [ "$1" -eq 0 ]; then
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
  rmdir --ignore-fail-on-non-empty /etc/rouse/run /etc/rouse/inetd /etc/rouse 2>/dev/null || :
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload || :; fi
exit 0
