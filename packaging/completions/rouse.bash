# bash completion for rouse; made by "rouse generate"
# shellcheck shell=bash disable=SC2207
_rouse() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  if [ "$word" = = ]; then word=; fi # bash parts words at = and : (COMP_WORDBREAKS)
  if [ "$before" = = ]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi
  if [ "$COMP_CWORD" -gt 1 ]; then
    case ${COMP_WORDS[1]} in
    run) _rouse_run; return;;
    dispatch) _rouse_dispatch; return;;
    inetd) _rouse_inetd; return;;
    install) _rouse_install; return;;
    uninstall) _rouse_uninstall; return;;
    status) _rouse_status; return;;
    renew) _rouse_renew; return;;
    health) _rouse_health; return;;
    esac
  fi
  case $before in
    -w|--config-file) COMPREPLY=($(compgen -f -- "$word")); return;;
    -d|--root) COMPREPLY=($(compgen -d -- "$word")); return;;
    --index-files) return;;
    --mime-types) return;;
    --page404) COMPREPLY=($(compgen -f -- "$word")); return;;
    --page50x) COMPREPLY=($(compgen -f -- "$word")); return;;
    --page-fallback) COMPREPLY=($(compgen -f -- "$word")); return;;
    --maintenance-mode-status) return;;
    --maintenance-mode-file) COMPREPLY=($(compgen -f -- "$word")); return;;
    --maintenance-mode-switch) COMPREPLY=($(compgen -f -- "$word")); return;;
    --listen) return;;
    -f|--fd) return;;
    -a|--host) return;;
    -p|--port) return;;
    --unix-socket) COMPREPLY=($(compgen -f -- "$word")); return;;
    --unix-socket-mode) return;;
    --tls-cert) COMPREPLY=($(compgen -f -- "$word")); return;;
    --tls-key) COMPREPLY=($(compgen -f -- "$word")); return;;
    --https-redirect-host) return;;
    --https-redirect-from-port) return;;
    --https-redirect-from-hosts) return;;
    --compression-level) COMPREPLY=($(compgen -W 'fastest default best' -- "$word")); return;;
    --compression-cache) return;;
    --lane) COMPREPLY=($(compgen -W 'auto off' -- "$word")); return;;
    --reply-cache) return;;
    --reply-ttl) return;;
    --directory-listing-order) return;;
    --directory-listing-format) COMPREPLY=($(compgen -W 'html json auto' -- "$word")); return;;
    --directory-listing-download) COMPREPLY=($(compgen -W 'targz tarzst zip' -- "$word")); return;;
    -c|--cors-allow-origins) return;;
    -j|--cors-allow-headers) return;;
    --cors-expose-headers) return;;
    --basic-auth) return;;
    --basic-auth-file) COMPREPLY=($(compgen -f -- "$word")); return;;
    -g|--log-level) COMPREPLY=($(compgen -W 'error warn info debug trace' -- "$word")); return;;
    --log-format) COMPREPLY=($(compgen -W 'auto human json logfmt' -- "$word")); return;;
    --log-file) COMPREPLY=($(compgen -f -- "$word")); return;;
    --access-log) COMPREPLY=($(compgen -f -- "$word")); return;;
    --access-log-format) COMPREPLY=($(compgen -W 'auto human json logfmt common combined' -- "$word")); return;;
    --trusted-proxies) return;;
    -q|--grace-period) return;;
    --drain-timeout) return;;
    --idle-exit) return;;
    -n|--threads-multiplier) return;;
    -b|--max-blocking-threads) return;;
    --landlock) COMPREPLY=($(compgen -W 'auto off' -- "$word")); return;;
    --tls-handshake-timeout) return;;
    --client-header-timeout) return;;
    --client-body-timeout) return;;
    --keepalive-timeout) return;;
    --send-timeout) return;;
    --max-connections) return;;
    --max-connections-per-client) return;;
    --max-requests) return;;
    --max-handshakes) return;;
    --max-header-size) return;;
    --max-target-size) return;;
    --max-open-files) return;;
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '--config-file --check-config --help --version --root --use-relative-root --index-files --ignore-hidden-files --disable-symlinks --redirect-trailing-slash --clean-urls --accept-markdown --text-charset --mime-types --site-rules --page404 --page50x --page-fallback --spa --maintenance-mode --maintenance-mode-status --maintenance-mode-file --maintenance-mode-switch --listen --fd --host --port --unix-socket --unix-socket-mode --unix-socket-force --tls --http2 --tls-cert --tls-key --https-redirect --https-redirect-host --https-redirect-from-port --https-redirect-from-hosts --compression --compression-level --compression-static --compression-cache --lane --reply-cache --reply-ttl --directory-listing --directory-listing-order --directory-listing-format --directory-listing-download --security-headers --cache-control-headers --etag --repr-digest --cors-allow-origins --cors-allow-headers --cors-expose-headers --basic-auth --basic-auth-file --health --ready --metrics --log-level --log-format --log-with-ansi --log-file --access-log --access-log-format --log-remote-address --log-x-real-ip --log-forwarded-for --trusted-proxies --grace-period --drain-timeout --idle-exit --threads-multiplier --max-blocking-threads --windows-service --landlock --tls-handshake-timeout --client-header-timeout --client-body-timeout --keepalive-timeout --send-timeout --max-connections --max-connections-per-client --max-requests --max-handshakes --max-header-size --max-target-size --max-open-files' -- "$word"));;
    *)
      if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W 'check dispatch generate health help inetd install precompress renew run serve sockets status uninstall version' -- "$word") $(compgen -d -- "$word"))
      else
        COMPREPLY=($(compgen -d -- "$word"))
      fi;;
  esac
}
# Options up to the program's name, then whatever completes that one.
_rouse_run() {
  local i program=
  for ((i = 2; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --) program=$((i + 1)); break;;
      -w|--config-file|--listen|--fd|--map|--family|--mode|--as|--proxy-protocol|--getsockname|--no-new-privs|--network-from|--idle-stop|--start-timeout|--stop-signal|--stop-timeout|--reload|--reload-signal|-g|--log-level|--log-format) ((i++)); if [ "${COMP_WORDS[i]}" = = ]; then ((i++)); fi;;
      -*) ;;
      *) program=$i; break;;
    esac
    while ((i + 1 < COMP_CWORD)) && [[ ${COMP_WORDS[i+1]} == [:=]* ]]; do ((i += 2)); done # the rest of a value
  done
  if [ -n "$program" ]; then
    if declare -F _command_offset >/dev/null; then
      _command_offset "$program"
    elif [ "$program" -eq "$COMP_CWORD" ]; then
      COMPREPLY=($(compgen -c -- "$word"))
    else
      COMPREPLY=($(compgen -f -- "$word"))
    fi
    return
  fi
  case $before in
    -w|--config-file) COMPREPLY=($(compgen -f -- "$word")); return;;
    --listen) return;;
    --fd) return;;
    --map) return;;
    --family) COMPREPLY=($(compgen -W 'exact any' -- "$word")); return;;
    --mode) COMPREPLY=($(compgen -W 'auto listener translate proxy' -- "$word")); return;;
    --as) COMPREPLY=($(compgen -W 'systemd nginx einhorn server-starter argv inetd' -- "$word")); return;;
    --proxy-protocol) COMPREPLY=($(compgen -W 'v1 v2' -- "$word")); return;;
    --getsockname) COMPREPLY=($(compgen -W 'auto yes no' -- "$word")); return;;
    --no-new-privs) COMPREPLY=($(compgen -W 'auto yes no' -- "$word")); return;;
    --network-from) return;;
    --idle-stop) return;;
    --start-timeout) return;;
    --stop-signal) return;;
    --stop-timeout) return;;
    --reload) COMPREPLY=($(compgen -W 'signal overlap restart' -- "$word")); return;;
    --reload-signal) return;;
    -g|--log-level) COMPREPLY=($(compgen -W 'error warn info debug trace' -- "$word")); return;;
    --log-format) COMPREPLY=($(compgen -W 'auto human json logfmt' -- "$word")); return;;
  esac
  if ((i > COMP_CWORD)) || [[ ${COMP_WORDS[COMP_CWORD]} == [:=]* ]]; then return; fi # in a value
  case $word in
    -*) COMPREPLY=($(compgen -W '-- --help --config-file --listen --fd --map --family --mode --as --proxy-protocol --getsockname --no-new-privs --guard-shutdown --no-io-uring --network-from --pass-notify --lazy --idle-stop --start-timeout --stop-signal --stop-timeout --reload --reload-signal --log-level --log-format --explain --json' -- "$word"));;
    *) COMPREPLY=($(compgen -c -- "$word"));;
  esac
}
_rouse_dispatch() {
  case $before in
    -c|--config) COMPREPLY=($(compgen -f -- "$word")); return;;
    --listen) return;;
    --socket) COMPREPLY=($(compgen -f -- "$word")); return;;
    --fd) return;;
    --engine) COMPREPLY=($(compgen -W 'auto kernel hand-over' -- "$word")); return;;
    --pin) COMPREPLY=($(compgen -d -- "$word")); return;;
    --grace-period) return;;
    --hello-time) return;;
    --hello-size) return;;
    --ack-time) return;;
    --max-waiting) return;;
    --metrics) return;;
    -g|--log-level) COMPREPLY=($(compgen -W 'error warn info debug trace' -- "$word")); return;;
    --log-format) COMPREPLY=($(compgen -W 'auto human json logfmt' -- "$word")); return;;
    --explain) return;;
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '--help --config --listen --socket --fd --engine --pin --grace-period --hello-time --hello-size --ack-time --max-waiting --metrics --log-level --log-format --check --explain --status --json' -- "$word"));;
  esac
}
# Options up to the program's name, then whatever completes that one.
_rouse_inetd() {
  local i program=
  for ((i = 2; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --) program=$((i + 1)); break;;
      -w|--config-file|--services|--listen|--fd|-u|--user|--group|--groups|--directory|--stderr|--max-instances|--per-client|--rate|--client-rate|--time-limit|--limit|--grace-period|-g|--log-level|--log-format) ((i++)); if [ "${COMP_WORDS[i]}" = = ]; then ((i++)); fi;;
      -*) ;;
      *) program=$i; break;;
    esac
    while ((i + 1 < COMP_CWORD)) && [[ ${COMP_WORDS[i+1]} == [:=]* ]]; do ((i += 2)); done # the rest of a value
  done
  if [ -n "$program" ]; then
    if declare -F _command_offset >/dev/null; then
      _command_offset "$program"
    elif [ "$program" -eq "$COMP_CWORD" ]; then
      COMPREPLY=($(compgen -c -- "$word"))
    else
      COMPREPLY=($(compgen -f -- "$word"))
    fi
    return
  fi
  case $before in
    -w|--config-file) COMPREPLY=($(compgen -f -- "$word")); return;;
    --services) COMPREPLY=($(compgen -f -- "$word")); return;;
    --listen) return;;
    --fd) return;;
    -u|--user) return;;
    --group) return;;
    --groups) return;;
    --directory) COMPREPLY=($(compgen -d -- "$word")); return;;
    --stderr) COMPREPLY=($(compgen -W 'log client null' -- "$word")); return;;
    --max-instances) return;;
    --per-client) return;;
    --rate) return;;
    --client-rate) return;;
    --time-limit) return;;
    --limit) return;;
    --grace-period) return;;
    -g|--log-level) COMPREPLY=($(compgen -W 'error warn info debug trace' -- "$word")); return;;
    --log-format) COMPREPLY=($(compgen -W 'auto human json logfmt' -- "$word")); return;;
  esac
  if ((i > COMP_CWORD)) || [[ ${COMP_WORDS[COMP_CWORD]} == [:=]* ]]; then return; fi # in a value
  case $word in
    -*) COMPREPLY=($(compgen -W '-- --help --config-file --services --listen --fd --wait --user --group --groups --directory --stderr --max-instances --per-client --rate --client-rate --time-limit --limit --grace-period --log-level --log-format --check' -- "$word"));;
    *) COMPREPLY=($(compgen -c -- "$word"));;
  esac
}
_rouse_install() {
  local i
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [ "${COMP_WORDS[i]}" != -- ]; then
      continue
    elif declare -F _command_offset >/dev/null; then
      _command_offset $((i + 1))
    elif [ $((i + 1)) -eq "$COMP_CWORD" ]; then
      COMPREPLY=($(compgen -c -- "$word"))
    else
      COMPREPLY=($(compgen -f -- "$word"))
    fi
    return
  done
  case $before in
    --name) return;;
    --account) return;;
    --listen) return;;
    --host-name) return;;
    -d|--root) COMPREPLY=($(compgen -d -- "$word")); return;;
    --index-files) return;;
    --mime-types) return;;
    --page404) COMPREPLY=($(compgen -f -- "$word")); return;;
    --page50x) COMPREPLY=($(compgen -f -- "$word")); return;;
    --page-fallback) COMPREPLY=($(compgen -f -- "$word")); return;;
    --maintenance-mode-status) return;;
    --maintenance-mode-file) COMPREPLY=($(compgen -f -- "$word")); return;;
    --maintenance-mode-switch) COMPREPLY=($(compgen -f -- "$word")); return;;
    -f|--fd) return;;
    -a|--host) return;;
    -p|--port) return;;
    --unix-socket) COMPREPLY=($(compgen -f -- "$word")); return;;
    --unix-socket-mode) return;;
    --tls-cert) COMPREPLY=($(compgen -f -- "$word")); return;;
    --tls-key) COMPREPLY=($(compgen -f -- "$word")); return;;
    --https-redirect-host) return;;
    --https-redirect-from-port) return;;
    --https-redirect-from-hosts) return;;
    --compression-level) COMPREPLY=($(compgen -W 'fastest default best' -- "$word")); return;;
    --compression-cache) return;;
    --lane) COMPREPLY=($(compgen -W 'auto off' -- "$word")); return;;
    --reply-cache) return;;
    --reply-ttl) return;;
    --directory-listing-order) return;;
    --directory-listing-format) COMPREPLY=($(compgen -W 'html json auto' -- "$word")); return;;
    --directory-listing-download) COMPREPLY=($(compgen -W 'targz tarzst zip' -- "$word")); return;;
    -c|--cors-allow-origins) return;;
    -j|--cors-allow-headers) return;;
    --cors-expose-headers) return;;
    --basic-auth) return;;
    --basic-auth-file) COMPREPLY=($(compgen -f -- "$word")); return;;
    -g|--log-level) COMPREPLY=($(compgen -W 'error warn info debug trace' -- "$word")); return;;
    --log-format) COMPREPLY=($(compgen -W 'auto human json logfmt' -- "$word")); return;;
    --log-file) COMPREPLY=($(compgen -f -- "$word")); return;;
    --access-log) COMPREPLY=($(compgen -f -- "$word")); return;;
    --access-log-format) COMPREPLY=($(compgen -W 'auto human json logfmt common combined' -- "$word")); return;;
    --trusted-proxies) return;;
    -q|--grace-period) return;;
    --drain-timeout) return;;
    --idle-exit) return;;
    -b|--max-blocking-threads) return;;
    --landlock) COMPREPLY=($(compgen -W 'auto off' -- "$word")); return;;
    --tls-handshake-timeout) return;;
    --client-header-timeout) return;;
    --client-body-timeout) return;;
    --keepalive-timeout) return;;
    --send-timeout) return;;
    --max-connections) return;;
    --max-connections-per-client) return;;
    --max-requests) return;;
    --max-handshakes) return;;
    --max-header-size) return;;
    --max-target-size) return;;
    --max-open-files) return;;
    -w|--config-file) COMPREPLY=($(compgen -f -- "$word")); return;;
    --map) return;;
    --family) COMPREPLY=($(compgen -W 'exact any' -- "$word")); return;;
    --mode) COMPREPLY=($(compgen -W 'auto listener translate proxy' -- "$word")); return;;
    --as) COMPREPLY=($(compgen -W 'systemd nginx einhorn server-starter argv inetd' -- "$word")); return;;
    --proxy-protocol) COMPREPLY=($(compgen -W 'v1 v2' -- "$word")); return;;
    --getsockname) COMPREPLY=($(compgen -W 'auto yes no' -- "$word")); return;;
    --no-new-privs) COMPREPLY=($(compgen -W 'auto yes no' -- "$word")); return;;
    --network-from) return;;
    --idle-stop) return;;
    --start-timeout) return;;
    --stop-signal) return;;
    --stop-timeout) return;;
    --reload) COMPREPLY=($(compgen -W 'signal overlap restart' -- "$word")); return;;
    --reload-signal) return;;
    --socket) COMPREPLY=($(compgen -f -- "$word")); return;;
    --engine) COMPREPLY=($(compgen -W 'auto kernel hand-over' -- "$word")); return;;
    --pin) COMPREPLY=($(compgen -d -- "$word")); return;;
    --hello-time) return;;
    --hello-size) return;;
    --ack-time) return;;
    --max-waiting) return;;
    --services) COMPREPLY=($(compgen -f -- "$word")); return;;
    --group) return;;
    --groups) return;;
    --directory) COMPREPLY=($(compgen -d -- "$word")); return;;
    --stderr) COMPREPLY=($(compgen -W 'log client null' -- "$word")); return;;
    --max-instances) return;;
    --per-client) return;;
    --rate) return;;
    --client-rate) return;;
    --time-limit) return;;
    --limit) return;;
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '-- --help --user --name --account --listen --host-name --offline --egress --print --dry-run --force --root --use-relative-root --index-files --ignore-hidden-files --disable-symlinks --redirect-trailing-slash --clean-urls --accept-markdown --text-charset --mime-types --site-rules --page404 --page50x --page-fallback --spa --maintenance-mode --maintenance-mode-status --maintenance-mode-file --maintenance-mode-switch --fd --host --port --unix-socket --unix-socket-mode --unix-socket-force --tls --http2 --tls-cert --tls-key --https-redirect --https-redirect-host --https-redirect-from-port --https-redirect-from-hosts --compression --compression-level --compression-static --compression-cache --lane --reply-cache --reply-ttl --directory-listing --directory-listing-order --directory-listing-format --directory-listing-download --security-headers --cache-control-headers --etag --repr-digest --cors-allow-origins --cors-allow-headers --cors-expose-headers --basic-auth --basic-auth-file --health --ready --metrics --log-level --log-format --log-with-ansi --log-file --access-log --access-log-format --log-remote-address --log-x-real-ip --log-forwarded-for --trusted-proxies --grace-period --drain-timeout --idle-exit --max-blocking-threads --windows-service --landlock --tls-handshake-timeout --client-header-timeout --client-body-timeout --keepalive-timeout --send-timeout --max-connections --max-connections-per-client --max-requests --max-handshakes --max-header-size --max-target-size --max-open-files --config-file --map --family --mode --as --proxy-protocol --getsockname --no-new-privs --guard-shutdown --no-io-uring --network-from --pass-notify --lazy --idle-stop --start-timeout --stop-signal --stop-timeout --reload --reload-signal --explain --json --socket --engine --pin --hello-time --hello-size --ack-time --max-waiting --check --status --services --wait --group --groups --directory --stderr --max-instances --per-client --rate --client-rate --time-limit --limit' -- "$word"));;
    *) COMPREPLY=($(compgen -W 'serve run dispatch inetd' -- "$word") $(compgen -d -- "$word"));;
  esac
}
_rouse_uninstall() {
  case $before in
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '--help --user' -- "$word"));;
  esac
}
_rouse_status() {
  case $before in
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '--help --user --json' -- "$word"));;
  esac
}
_rouse_renew() {
  case $before in
    --directory) COMPREPLY=($(compgen -d -- "$word")); return;;
    --unit) return;;
    --host-name) return;;
    --within) return;;
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '--help --user --directory --unit --host-name --within' -- "$word"));;
  esac
}
_rouse_health() {
  case $before in
    --timeout) return;;
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '--help --timeout --insecure' -- "$word"));;
  esac
}
complete -o filenames -F _rouse rouse
