#!/bin/bash
# boot-systemd.sh - run a command under a real, private systemd.
#
#   tests/boot-systemd.sh [-r ROOTFS] [-n private|host] [-t TARGET] [-T SECS] [-b DIR]... [--] CMD [ARG...]
#
# systemd becomes PID 1 of new pid, mount, uts, ipc, cgroup (and net) namespaces.  Its root is a
# throw-away overlay (upper layer on a tmpfs) over ROOTFS, by default this machine's own "/".
# CMD runs inside once the boot has finished, in the caller's directory where that exists inside
# (else in /), with a clean environment (pass variables with: env A=b CMD).  stdin, stdout and
# stderr are the caller's.  What CMD does to files (dpkg -i, /etc, /run, /var) is gone afterwards.
#
#   -r ROOTFS  an unpacked root file system with its own systemd (e.g. from mmdebstrap)
#   -n NET     private (default): a new network namespace with only lo; host: the caller's network
#   -t TARGET  unit to boot into (default testbed.target = basic.target, no gettys, timers, network)
#   -T SECS    time limit for CMD (default 120)
#   -b DIR     bind DIR in at the same path, read-write: what is written there DOES stay
#
# Exit status: that of CMD; 64 usage; 70 systemd did not boot; 77 cannot run here (treat as "skip");
# 124 CMD ran past the limit; 143 interrupted.  Needs root, cgroup v2, util-linux, iproute2, systemd.
#
# Build first, then boot: what changes below a mounted overlay may or may not be seen inside.  /tmp inside is a
# fresh tmpfs, so what CMD needs must be elsewhere.  With a private network fixed ports are fine, and two of
# these may run at once.  About 1 s to boot.
#
# Inside: only the file system of "/" is visible (other mounts need -b), /tmp, /run and /dev are
# fresh, there is no udev and no logind, and memory/cpu/pids limits are not enforced when those
# controllers belong to cgroup v1 outside.
set -euo pipefail

usage() { sed -n '4p' "$0" | cut -c3- >&2; exit 64; }
skip() { echo "boot-systemd: cannot run here: $*" >&2; exit 77; }
die() { echo "boot-systemd: $*" >&2; exit 70; }

lower=/ net=private target=testbed.target limit=120 binds=()
while getopts r:n:t:T:b: o; do case $o in
  r) lower=$(readlink -e -- "$OPTARG") || { echo "boot-systemd: no such directory: $OPTARG" >&2; exit 64; };;
  n) net=$OPTARG;; t) target=$OPTARG;; T) limit=$OPTARG;;
  b) b=$(readlink -e -- "$OPTARG") || { echo "boot-systemd: no such directory: $OPTARG" >&2; exit 64; }; binds+=("$b");;
  *) usage;;
esac; done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage
case $net in private|host) ;; *) usage;; esac
case $lower in *[:,\\]*) echo "boot-systemd: overlay cannot take this path: $lower" >&2; exit 64;; esac

[ "$(id -u)" = 0 ] || skip "not root"
for t in unshare nsenter setpriv findmnt ip timeout; do
  command -v "$t" >/dev/null || skip "no $t"
done
[ -e "$lower/lib/systemd/systemd" ] || skip "no $lower/lib/systemd/systemd"
unshare --pid --mount --uts --ipc --cgroup --net --fork true 2>/dev/null || skip "no new namespaces allowed"

W=$(mktemp -d -t boot-systemd.XXXXXX)
cg='' own='' holder='' init='' run=''
# shellcheck disable=SC2317  # run by the trap
cleanup() {
  set +e
  trap '' TERM INT HUP
  [ -n "$init" ] && kill -KILL "$init" 2>/dev/null       # takes the whole pid namespace with it
  [ -n "$holder" ] && { kill -KILL "$holder"; wait "$holder"; } 2>/dev/null
  [ -n "$run" ] && wait "$run" 2>/dev/null
  if [ -n "$cg" ]; then
    for _ in $(seq 50); do
      find "$cg" -depth -type d -exec rmdir {} + 2>/dev/null
      [ -d "$cg" ] || break
      sleep 0.02
    done
  fi
  [ -n "$own" ] && umount "$own"
  rm -rf --one-file-system "$W"
}
trap cleanup EXIT
trap 'exit 143' TERM INT HUP

# A cgroup of our own, entered BEFORE unshare --cgroup: a cgroup2 mounted inside then has it as root,
# so systemd sees a pure v2 machine whatever the layout outside (hybrid, pure v2, v1 only).
cg2=$(findmnt -rn -t cgroup2 -o TARGET | head -n1) || true
if [ -z "$cg2" ]; then
  mkdir "$W/cg2"
  mount -t cgroup2 none "$W/cg2" 2>/dev/null || skip "no cgroup v2"
  own=$W/cg2 cg2=$W/cg2
fi
mkdir "$cg2/${W##*/}" 2>/dev/null || skip "cannot make a cgroup in $cg2"
cg=$cg2/${W##*/}

# Runs in the new namespaces and ends by becoming systemd.
inner=$(cat <<'INNER'
set -eu
W=$1 lower=$2 net=$3 target=$4; shift 4
mount --make-rprivate /
mount -t tmpfs -o mode=0755 boot-systemd "$W"
m=$W/root
mkdir "$W/upper" "$W/wd" "$m"
mount -t overlay -o "lowerdir=$lower,upperdir=$W/upper,workdir=$W/wd" overlay "$m"
mkdir -p $m/proc $m/sys $m/dev $m/run $m/tmp
mount -t proc -o nosuid,nodev,noexec proc $m/proc
if [ "$net" = private ]; then
  ip link set lo up
  echo 512 >$m/proc/sys/net/unix/max_dgram_qlen 2>/dev/null || true
  mount -t sysfs -o ro,nosuid,nodev,noexec sysfs $m/sys
else
  mount --bind -o ro /sys $m/sys
fi
# PID 1 raises fs.nr_open, fs.file-max, ...: those are the real machine's, so not writable
mount --bind $m/proc/sys $m/proc/sys
mount -o remount,bind,ro,nosuid,nodev,noexec $m/proc/sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 $m/sys/fs/cgroup
mount -t tmpfs -o mode=0755,nosuid,strictatime tmpfs $m/dev
for d in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  IFS=: read -r n a b <<<"$d"
  mknod -m 666 $m/dev/$n c $a $b
done
mkdir $m/dev/pts $m/dev/shm $m/dev/mqueue
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts $m/dev/pts
ln -s pts/ptmx $m/dev/ptmx
ln -s /proc/self/fd $m/dev/fd
ln -s /proc/self/fd/0 $m/dev/stdin
ln -s /proc/self/fd/1 $m/dev/stdout
ln -s /proc/self/fd/2 $m/dev/stderr
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs $m/dev/shm
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs $m/run
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs $m/tmp
for b in "$@"; do mkdir -p "$m$b"; mount --bind "$b" "$m$b"; done
# a small boot: the essentials of sysinit plus sockets; no udev, gettys, network, timers
S=$m/etc/systemd/system
mkdir -p $S
cat >$S/testbed.target <<T
[Unit]
Description=testbed
Requires=basic.target
After=basic.target
AllowIsolate=yes
T
for u in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service \
  systemd-remount-fs.service systemd-modules-load.service systemd-sysctl.service systemd-binfmt.service \
  systemd-firstboot.service systemd-sysusers.service systemd-journal-flush.service systemd-hwdb-update.service \
  systemd-update-done.service ldconfig.service systemd-machine-id-commit.service systemd-pstore.service \
  systemd-random-seed.service systemd-timesyncd.service systemd-logind.service proc-sys-fs-binfmt_misc.automount \
  sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount \
  dev-hugepages.mount dev-mqueue.mount e2scrub_reap.service systemd-networkd.service systemd-resolved.service \
  tmp.mount apparmor.service; do ln -sfn /dev/null $S/$u; done
rm -f $S/timers.target.wants/* $S/local-fs.target.wants/* $S/sysinit.target.wants/*
rm -f $m/usr/sbin/policy-rc.d     # container images have one that refuses every service start
: >$m/etc/fstab
rm -f $m/etc/machine-id
head -c16 /dev/urandom | od -An -tx1 | tr -d ' \n' >$m/etc/machine-id
mkdir -p $m/etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nForwardToConsole=no\n' >$m/etc/systemd/journald.conf.d/boot-systemd.conf
cd $m
mkdir -p run/.oldroot
pivot_root . run/.oldroot
umount -l /run/.oldroot
rmdir /run/.oldroot
mount --make-rshared /      # systemd in a "container" leaves this to us; LoadCredential= needs it
# container= keeps PID 1 from udev, remounting and the like
exec env -i container=boot-systemd PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
  /lib/systemd/systemd --system --unit="$target" --log-target=journal --show-status=false
INNER
)

ns=(--pid --mount --uts --ipc --cgroup --fork --kill-child=KILL)
[ "$net" = private ] && ns+=(--net)
(
  echo "$BASHPID" >"$cg/cgroup.procs"
  # pdeathsig: nothing is left running even if this script is killed with SIGKILL
  exec setpriv --pdeathsig KILL unshare "${ns[@]}" bash -c "$inner" inner "$W" "$lower" "$net" "$target" "${binds[@]}" \
    </dev/null >"$W/console" 2>&1
) &
holder=$!

alive() { kill -0 "$holder" 2>/dev/null || { cat "$W/console" >&2; die "systemd did not start or died"; }; }
for _ in $(seq 500); do
  init=$(awk '{print $1}' "/proc/$holder/task/$holder/children" 2>/dev/null) || true
  [ -n "$init" ] && [ "$(cat "/proc/$init/comm" 2>/dev/null)" = systemd ] && break
  alive
  sleep 0.01
done
enter=(nsenter --target "$init" --mount --uts --ipc --net --pid --cgroup --root --wd
       env -i container=boot-systemd HOME=/root TERM=dumb LANG=C.UTF-8 SYSTEMD_PAGER=cat
       PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
state=
for _ in $(seq 500); do
  state=$("${enter[@]}" systemctl is-system-running 2>/dev/null </dev/null) || true
  case $state in running|degraded) break;; esac
  alive
  sleep 0.02
done
case $state in running|degraded) ;; *)
  { "${enter[@]}" systemctl list-jobs; "${enter[@]}" journalctl -b -n 50; } >&2 || true
  die "boot timed out (state: ${state:-none})";;
esac

# In the background, so that a signal ends the wait at once; <&0 because bash would give it /dev/null.
# shellcheck disable=SC2016  # for the inner sh
timeout --foreground -k 5 "$limit" "${enter[@]}" \
  sh -c 'cd -- "$1" 2>/dev/null || cd /; shift; exec "$@"' sh "$PWD" "$@" <&0 &
run=$!
rc=0
wait "$run" || rc=$?
run=
exit "$rc"
