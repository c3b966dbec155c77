# service.sh start|stop|restart: runs server.py in the background, its pid in data/server.pid.
set -eu
mkdir -p data logs
server="$(pwd -P)/server.py"

# The pid of our server, or nothing: a pid from an old file may belong to another program by now.
pid() {
    [ -s data/server.pid ] || return 0
    p=$(cat data/server.pid)
    if tr '\0' '\n' <"/proc/$p/cmdline" 2>/dev/null | grep -qxF "$server"; then echo "$p"; fi
}

start() {
    if [ -n "$(pid)" ]; then return; fi
    # A session of its own and no inherited descriptors: it outlives this target and its caller.
    setsid sh -c 'echo $$ >data/server.pid; exec python3 "$1"' sh "$server" </dev/null >>logs/server.log 2>&1 &
}

stop() {
    p=$(pid)
    if [ -z "$p" ]; then return; fi
    kill "$p" 2>/dev/null || true
    while [ -n "$(pid)" ]; do sleep 0.05; done
    rm -f data/server.pid
}

case "$1" in
start) start ;;
stop) stop ;;
restart)
    stop
    start
    ;;
esac
echo "$1 ${CURRENT_VERSION:--} ${NEW_VERSION:--}" >>data/lifecycle.log
