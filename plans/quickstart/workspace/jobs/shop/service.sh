# service.sh start|stop|restart|reload|status: runs server.py in the background, its pid in data/server.pid.
set -eu
mkdir -p data logs
began=$(date +%s.%N)
server="$(pwd -P)/server.py"

# The pid of our server, or nothing: a pid from an old file may belong to another program by now.
pid() {
    [ -s data/server.pid ] || return 0
    p=$(cat data/server.pid)
    if tr '\0' '\n' <"/proc/$p/cmdline" 2>/dev/null | grep -qxF "$server"; then echo "$p"; fi
}

start() {
    if [ -n "$(pid)" ]; then
        echo "already running, pid $(pid)"
        return
    fi
    rm -f data/server.pid
    # A session of its own and no inherited descriptors: it outlives this target and its caller.
    setsid -f python3 "$server" </dev/null >>logs/server.log 2>&1
    python3 "$server" --wait 20 || {
        echo "the server does not answer; the end of logs/server.log:" >&2
        tail -n 5 logs/server.log >&2
        exit 1
    }
    echo "started, pid $(pid)"
}

stop() {
    p=$(pid)
    if [ -z "$p" ]; then
        echo "not running"
        return
    fi
    kill "$p" 2>/dev/null || true
    n=0
    while [ -n "$(pid)" ]; do
        n=$((n + 1))
        if [ "$n" -gt 100 ]; then
            echo "pid $p did not end within 10 seconds" >&2
            exit 1
        fi
        sleep 0.1
    done
    rm -f data/server.pid
    echo "stopped"
}

case "$1" in
start) start ;;
stop) stop ;;
restart)
    stop
    start
    ;;
reload)
    p=$(pid)
    if [ -z "$p" ]; then
        echo "not running: nothing can be reloaded" >&2
        exit 1
    fi
    kill -HUP "$p"
    echo "asked pid $p to read its files again"
    ;;
status)
    python3 "$server" --version
    exit
    ;;
esac

# What has run here, for people and tests: target, versions, begin and end.
echo "$1 ${CURRENT_VERSION:--} ${NEW_VERSION:--} $began $(date +%s.%N)" >>data/lifecycle.log
