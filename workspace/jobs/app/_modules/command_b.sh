setsid python3 /tmp/f2.py </dev/null >/dev/null 2>&1 &
sleep 1
