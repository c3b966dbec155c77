# What one worker does for maand-apply. POSIX sh: dash, bash and busybox run it.
#
#   sh <root>/.bin/worker-<digest> VERB ARGUMENT...
#
# Arguments come from the controller and hold only letters, digits and `._:-`. Everything else (the nonce of the
# answer, commands, file names, bytes) comes on standard input, and is never evaluated here.
#
# An answer is a sequence of records on standard output, `LF @NONCE NAME FIELD... LF PAYLOAD`, ended by the record
# `end`. What stands before the first one is noise of the login shell; an answer without `end` proves nothing.
#
# Files of one attempt, receipts/<run>/<attempt>.*:
#   run      boot id, runner's pid, its start time, command digest; written before anything else
#   go       created exclusively: its creator decides, the runner to begin or a fence to close the id
#   began    the command may have begun; where `go` exists without it, it has not and never will
#   out err  its output; of one that grows too large, without the middle
#   done.*   the outcome, in the name, so that publishing it needs no data block
#   held     processes that had the output open when the command had ended, as PID NAME; there while any has
#   settled  a person or the controller has decided about an attempt that died: it holds nobody up
# An attempt `<run>-probe-<nonce>` only looks: nobody asks about it again, and its files go when it has been reported.
# receipts/.lock/<job> names who acted on the job last and, once it has ended, with which outcome and target; .lock/@<job>
# the push or comparison that holds the lock, or held it last.
#
# What targets do to the files that were pushed, left/<job>/*:
#   before   what was at each path when a target began. Not empty: a target has begun and has not ended well since all was
#            as it was pushed, so that whatever differs is its work
#   after    the same when a target has ended well
#   paths    of a job with many files: where they are looked for, with zero bytes between
#   record   each path that targets left otherwise than it was pushed; a line is
#            PUSHEDSIZE INODE SIZE MODE MTIME CTIME KIND DIGEST PUSHEDKIND PUSHEDDIGEST ./PATH/
#            with kinds f, l or `-` for nothing, and `-` for each of INODE to CTIME where nothing is there
#   service  paths that the running service may rewrite, as PUSHEDSIZE ./PATH/

# What commands get in PATH after the usual folders: those of the login. The script itself uses only the usual ones.
export MAAND_LOGIN_PATH="${MAAND_LOGIN_PATH-$PATH}"
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
umask 077
W=${0%/.bin/*}
case $W in /*) ;; *) W=$PWD/$W ;; esac
R=$W/receipts
shell=${MAAND_SHELL:-sh}
ifs=$IFS
read -r boot </proc/sys/kernel/random/boot_id

say() { printf '\n@%s %s\n' "$nonce" "$*"; }
answer() { say state "$@"; say end; exit 0; }

# mark FILE: creates it, or fails where it exists. Not with `:`, whose failed redirection would end the shell.
mark() {
    set -C
    { true >"$1"; } 2>/dev/null
    set -- $?
    set +C
    return "$1"
}

attempt() { id=$1 run=${1%%-*} r=$R/${1%%-*}/$1; }

# alive PID START: whether that process lives, and not a later one of the same number.
alive() {
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    set -- "$2" ${stat##*") "}
    [ "$2" != Z ] && [ "$2" != X ] && [ "${21}" = "$1" ]
}

# members ppid|pgrp|session NUMBER: the living processes of that parent, group or session, into $pids.
members() {
    pids=
    read -r self _ </proc/self/stat
    case $1 in
    ppid) set -- "$2 " ;;
    pgrp) set -- "[0-9]* $2 " ;;
    session) set -- "[0-9]* [0-9]* $2 " ;;
    esac
    # One process that reads all, since there may be thousands; it is not there any more when it has told.
    for p in $(sed -n "s/^\([0-9]*\) (.*) [^ZX] $1.*/\1/p" /proc/[0-9]*/stat 2>/dev/null); do
        [ "$p" = "$self" ] || [ "$p" = $$ ] || [ ! -e "/proc/$p/stat" ] || pids=$pids${pids:+,}$p
    done
    [ "$pids" ]
}

# remains SESSION: the living processes of a dead attempt, into $pids. Its watcher is none: that ends when the time is up,
# and ends what it finds then.
remains() {
    members session "$1" || return 1
    IFS=,; set -- $pids; IFS=$ifs
    watchers=:
    for p do
        { IFS= read -r line <"/proc/$p/cmdline"; } 2>/dev/null
        case $line in *_runner*"$id"*) watchers=$watchers$p: ;; esac
    done
    pids=
    for p do
        { read -r stat <"/proc/$p/stat"; } 2>/dev/null || continue
        line=${stat##*") "}
        line=${line#? }
        case $watchers in *":$p:"* | *":${line%% *}:"*) ;; *) pids=$pids${pids:+,}$p ;; esac
    done
    [ "$pids" ]
}

# look: what is known of the attempt, into $state.
look() {
    while :; do
        wboot= wpid= wstart= wdigest= gone=
        outcome && return
        [ -e "$R/$run.settled" ] && { state='notstarted settled'; return; }
        # Before `run` is read: the creator of `go` has written that before.
        [ -e "$r.go" ] && gone=1
        { read -r wboot wpid wstart wdigest _ <"$r.run"; } 2>/dev/null
        if [ "$wboot" = "$boot" ] && alive "$wpid" "$wstart"; then state=running; return; fi
        # It may have ended since the first look; after this one nothing more is published.
        outcome && return
        # Or begun: then its runner was not seen yet.
        [ "$gone" ] || [ ! -e "$r.go" ] || continue
        break
    done
    if [ ! -e "$r.began" ]; then
        if [ -e "$r.go" ]; then state=fenced
        elif [ -d "$R/$run" ] && [ ! -e "$R/$run/lost" ]; then state=absent
        else lost; fi
    elif [ "$wboot" != "$boot" ]; then state=rebooted
    elif remains "$wpid"; then state="died $pids"
    else state=died; fi
}
# lost: the receipts of the whole run are gone. Only the lock of what the attempt was about may still say how it ended.
lost() {
    state=vanished
    for found in "$R"/.lock/*; do
        { read -r last word _ <"$found"; } 2>/dev/null || continue
        [ "$last" = "$id" ] || continue
        case $word in exit.* | timeout.*) state="finished ${word%%.*} ${word#*.} 0 0 0" ;; esac
        return
    done
}
outcome() {
    for found in "$r".done.*; do [ -e "$found" ] || return 1; done
    found=${found#"$r.done."}
    case $found in
    exit.* | timeout.*) IFS=.; set -- $found; IFS=$ifs; state="finished $1 $2 $3 $4 $5" ;;
    fenced) state=fenced ;;
    # It may have run under the receipts that were there before.
    generation) identity; state="generation $generation" ;;
    *) state="notstarted $found" ;;
    esac
}

# report: the state, and at most $limit last bytes of what was written until the command ended or was last seen.
report() {
    say state "$state"
    case $state in
    finished*)
        set -- $state
        tail_of out "${5:-0}"
        tail_of err "${6:-0}"
        [ ! -e "$r.held" ] || while read -r line; do say holder "${line:--}"; done <"$r.held"
        ;;
    died* | rebooted) tail_of out "$(wc -c <"$r.out")"; tail_of err "$(wc -c <"$r.err")" ;;
    esac
    say end
    exit 0
}
tail_of() {
    [ "$2" -gt 0 ] || return 0
    say "$1" "$2"
    if [ "$2" -le "$limit" ]; then head -c "$2" <"$r.$1"
    else tail -c +$(($2 - limit + 1)) <"$r.$1" | head -c "$limit"; fi
}

# Bytes of each output stream of an attempt from which on its middle is dropped, and how many of its first and last ones
# are then kept.
most=67108864 head=33554432 tail=16777216

# trim FILE: drops the middle of output that has grown too large. What writes there goes on at the end. Where the file
# system cannot do that, all of it is dropped.
trim() {
    set -- "$1" $(stat -c '%b %s' "$1" 2>/dev/null)
    [ $((${2:-0} * 512)) -gt "$most" ] || return 0
    fallocate -p -o "$head" -l $(($3 - head - tail)) "$1" 2>/dev/null || true >"$1"
}

# kept: whether a process has the output of the attempt open.
kept() {
    for found in "$r.out" "$r.err"; do
        [ ! -e "$found" ] || flock -n "$found" true </dev/null 2>/dev/null || return 0
    done
    return 1
}

# permitted: whether the owner record names just this controller and run.
permitted() {
    o1= o2= o3=
    { read -r o1 o2 o3 <"$W/owner"; } 2>/dev/null
    [ "$o1 $o2 $o3" = "$owner" ]
}
owned() { permitted || answer owner "${o1:--}" "${o2:-0}" "${o3:--}"; }

# identity [FILE]: of the receipts directory as it stands, and the time, both from one process, through FILE where it
# is given. A copy that was put back has another inode or change time; what procfs makes for a new process carries the
# present time.
identity() {
    g= inode= time=
    { read -r g <"$R/generation"; } 2>/dev/null
    [ "$g" ] || { generation=absent; now=$(date +%s); return; }
    if [ $# -gt 0 ]; then
        { stat -c '%i.%Z' "$R/generation" /proc/self/status >"$1" && { read -r inode && read -r time; } <"$1"; } \
            2>/dev/null
    fi
    if [ -z "$time" ]; then
        set -- $(stat -c '%i.%Z' "$R/generation" /proc/self/status)
        inode=$1 time=$2
    fi
    generation=$g.$inode now=${time#*.}
}
same() { [ "$expected" = - ] || [ "$expected" = "$generation" ]; }
# recognise: goes on only on the receipts that the run saw first.
recognise() {
    identity
    same || answer generation "$generation"
}
# vanished: answers that the receipts of the run are gone, or all of them.
vanished() {
    recognise
    answer generation "$generation.vanished"
}

# born: the start time of this shell, which tells it from a later process of the same number.
born() {
    read -r stat </proc/$$/stat
    set -- ${stat##*") "}
    start=${20}
}

# claim LOCK HOLDER: one action at a time on what the lock stands for. HOLDER is an attempt, or push.PID.START.
# Fails with the name of what is in the way in $other: a holder that lives, or processes that a dead one left.
claim() {
    command exec 9>>"$1" || { other=-; return 1; }
    other=
    if ! flock -n 9; then
        for found in "${1%/*}/@${1##*/}" "$1"; do
            { read -r other _ <"$found"; } 2>/dev/null && holds "$other" "$2" && return 1
        done
        # A twin that was asked for the same, or somebody who waited for what has just ended.
        flock 9
    fi
    { read -r other _ <"$1"; } 2>/dev/null
    case $other in
    "$2" | push.*) return 0 ;;
    # It may be new, because somebody has taken away the one that is held.
    '')
        for lost in "$R"/*/*.run; do
            { read -r wboot _ _ _ wkey <"$lost"; } 2>/dev/null || continue
            [ "$wboot" = "$boot" ] && [ "$wkey" = "${1##*/}" ] || continue
            other=${lost##*/} other=${other%.run}
            [ "$other" = "$2" ] || ! lives "$other" || { echo "$other" >"$1"; return 1; }
        done
        ;;
    *) ! lives "$other" ;;
    esac
}
# lives ATTEMPT: whether it runs, or has left processes about which nobody has decided.
lives() {
    for found in "$R/${1%%-*}/$1".done.* "$R/${1%%-*}/$1.settled"; do
        [ ! -e "$found" ] || return 1
    done
    (attempt "$1"; look; case $state in running | died\ *) exit 0 ;; esac; exit 1)
}
holds() {
    case $1 in
    '' | "$2") return 1 ;;
    push.*) IFS=.; set -- $1; IFS=$ifs; alive "$2" "$3" ;;
    *) (attempt "$1"; look; [ "$state" = running ]) ;;
    esac
}

verb=$1
shift

# run ID DIGEST GENERATION CONTROLLER SEQUENCE NONCE JOB LOCK LATEST TIMEOUT GRACE LIMIT TARGET
# begins the attempt, or waits for it where it has begun, and reports. JOB `-`: in the bucket's root. LOCK: a job, or
# another word of which one attempt runs at a time, or `-` for a command that may run beside any action. LATEST: epoch
# seconds, 0 for none. TIMEOUT, GRACE: seconds, 0 for none. TARGET: of the Makefile, or `-`. Input: the answer's nonce, a
# number of lines, and so many lines of shell.
if [ "$verb" = run ]; then
    read -r nonce && read -r lines || exit 64
    attempt "$1"
    digest=$2 expected=$3 owner="$4 $5 $6" limit=${12} lock=$R/.lock/$8
    [ "$8" = - ] && lock=$r.lock
    # However this ends, and also where nobody reads the answer any more. Caught, not ignored: as above.
    case $id in *-probe-*) trap 'rm -f "$r".*' EXIT; trap : PIPE ;; esac
    asked= attached=
    while :; do
        look
        [ "$wdigest" ] || { read -r wboot wpid wstart wdigest _ <"$r.run"; } 2>/dev/null
        [ "${wdigest:-$digest}" = "$digest" ] || answer conflict
        case $state in
        running)
            # A lock that does not hold is another one than the runner has.
            [ -z "$attached" ] || sleep 1
            attached=1
            flock -s "$lock" true </dev/null >/dev/null 2>&1
            continue
            ;;
        # A runner that ended well has left a word; where that is gone, nobody knows what it did.
        absent | vanished)
            if [ "$asked" = 0 ] || { [ "$asked" ] && [ ! -d "$R/$run" ]; }; then
                identity
                answer generation "$generation.vanished"
            fi
            [ -z "$asked" ] || answer refused "$asked"
            ;;
        *) report ;;
        esac
        # Receipts that have vanished do not come into being again by asking: the directory that is made here is marked, so
        # that what was begun before stays unknown.
        [ -d "$R/$run" ] || { mkdir "$R/$run" 2>/dev/null && mark "$R/$run/lost" && sync "$R/$run" "$R"; } ||
            [ -d "$R/$run" ] || {
            identity
            answer generation "$generation"
        }
        c=$r.cmd.$$
        asked=input
        while [ "$lines" -gt 0 ] && IFS= read -r l; do
            printf '%s\n' "$l" 2>/dev/null || { asked=14; break; }
            lines=$((lines - 1))
        done >"$c"
        [ "$lines" -eq 0 ] || { rm -f "$c"; answer refused "$asked"; }
        # In the foreground, so that SIGINT is not ignored in all that the target starts; in a session of its own, so
        # that the end of this shell and of its connection is nothing to it.
        setsid $shell "$0" _runner "$c" "$@" </dev/null >/dev/null 2>&1
        asked=$?
        case $asked in
        11) { read -r other _ <"$lock"; } 2>/dev/null; answer busy "${other:--}" ;;
        12) owned ;;
        13) identity; answer generation "$generation" ;;
        esac
    done
fi

# The runner: the only process that may begin the attempt. It holds the lock until the outcome is published.
if [ "$verb" = _runner ]; then
    c=$1
    shift
    attempt "$1"
    digest=$2 expected=$3 owner="$4 $5 $6" job=$7 key=$8 latest=$9
    lock=$R/.lock/$key
    [ "$key" = - ] && lock=$r.lock
    shift 9
    timeout=$1 grace=$2 target=$4 L= whole=
    leave() { rm -f "$c"; exit "$1"; }
    refuse() { mark "$r.done.$1"; leave 0; }
    # withdraw OUTCOME: after the claim, before the command.
    withdraw() { untouched; mv "$r.began" "$r.done.$1"; sync "$R/$run"; }
    # untouched: no target has begun after all.
    untouched() { [ -z "$L" ] || [ "$whole" ] || true >"$L/before"; }
    # survey FILE [PATH...]: what is at each path that was pushed, so that any change shows. Without paths: at each of the
    # file `paths`.
    survey() {
        out=$1
        shift
        {
            echo "$id"
            if [ $# -gt 0 ]; then stat -c "$seen %n" -- "$@"
            else xargs -0 stat -c "$seen %n" -- <"$L/paths"; fi
        } >"$out" 2>/dev/null
    }
    seen='%i %s %f %y %z'
    # some ARGUMENT...: grep, for which no line is no failure.
    some() { grep "$@" || [ $? -eq 1 ]; }
    # note: records what the target has left in the place of what was pushed. Fails where it cannot; until it has ended, the
    # target counts as one that has not. All lists of it have the order of the list of what was deployed.
    note() {
        older=
        if [ -s "$L/record" ]; then mv -f "$L/record" "$L/older" && older=$L/older || return 1; fi
        true >"$L/record" && true >"$L/stamps" || return 1
        if [ "$whole" ]; then
            some '^[fl] ' "$W/deployed/$job" >"$L/changed" && sed 1d "$L/before" >"$L/was" &&
                sed 1d "$L/after" >"$L/now" || return 1
        else
            some -vxFf "$L/after" "$L/before" >"$L/was" && some -vxFf "$L/before" "$L/after" >"$L/now" &&
                sed 's,^[^/]*, .,;s,$,/,' "$L/was" "$L/now" >"$L/names" &&
                some -Ff "$L/names" "$W/deployed/$job" >"$L/changed" || return 1
            [ -z "$older" ] || some -vFf "$L/names" "$older" >"$L/record" || return 1
        fi
        was= now=
        set --
        while IFS=' ' read -r k d _ p <&5; do
            [ "$was" ] || IFS= read -r was <&6
            [ "$now" ] || IFS= read -r now <&7
            size= stamp=
            # What was there before the target stands for what was pushed, unless more is known.
            if [ "./${was#*/}/" = "$p" ]; then size=${was#* } size=${size%% *} was=; fi
            if [ "./${now#*/}/" = "$p" ]; then stamp=${now%% ./*} now=; fi
            [ "$size$stamp$whole" ] || continue
            if [ "$older" ]; then
                line=$(grep -F -e " $k $d $p" "$older")
                [ -z "$line" ] || size=${line%% *}
            fi
            left=-
            if [ -z "$stamp" ]; then is=- stamp='- - - - -'
            elif [ -L "${p%/}" ]; then
                left=$(printf %s "$(readlink -- "${p%/}")" | sha256sum)
                is=l left=${left%% *}
            elif [ -f "${p%/}" ]; then
                is=f
                # As everywhere: a few are arguments, so that they need neither a list nor `xargs`.
                if [ $# -lt 64 ]; then set -- "$@" "${p%/}"; else printf '%s\0' "${p%/}" >&8; fi
            else continue; fi
            printf '%s\n' "$is $left $k $d ${size:--} $p"
            printf '%s\n' "$stamp" >>"$L/stamps"
        done 5<"$L/changed" 6<"$L/was" 7<"$L/now" 8>"$L/files" >"$L/found"
        true >"$L/sums" && [ $# -eq 0 ] || sha256sum -- "$@" >"$L/sums" || return 1
        [ ! -s "$L/files" ] || xargs -0 sha256sum -- <"$L/files" >>"$L/sums" || return 1
        [ ! -s "$L/found" ] || while IFS=' ' read -r is left k d size p <&5 && IFS= read -r stamp <&6; do
            [ "$is" != f ] || IFS=' ' read -r left _ <&7 || return 1
            # Where the name holds a backslash, the line begins with one.
            left=${left#\\}
            [ "$is $left" = "$k $d" ] || printf '%s\n' "$size $stamp $is $left $k $d $p" >&8 || return 1
        done 5<"$L/found" 6<"$L/stamps" 7<"$L/sums" 8>>"$L/record"
        sync "$L/record" "$L" || return 1
        for line in was now names changed files found stamps sums older; do set -- "$@" "$L/$line"; done
        shift $(($# - 9))
        rm -f "$@"
    }
    # over: whether the runner has seen the command end. Nobody else can open a descriptor of it.
    over() { [ -L "/proc/$$/fd/8" ]; }
    # uptime: since boot, in hundredths of a second, into $up.
    uptime() {
        read -r up _ </proc/uptime
        up=${up%.*}${up#*.}
    }
    # watch: runs beside the command; ends 3 where the time was up. What is left of the group is killed, except the
    # runner and this. Whatever the command does to its group, the time is up when it is: signals count only where the
    # runner has said before that the command is over, and a `sleep` that somebody ended is followed by another one.
    watch() {
        # Here: around the call, a shell would keep them open to have them back.
        exec 3>&- 4>&- 9>&-
        # KILL: another signal can be lost in the child between fork and exec.
        trap '! over || { kill -KILL $! 2>/dev/null; exit 0; }' TERM
        # The runner's signal may have come before there was a trap.
        ! over || exit 0
        uptime
        due=$((up + timeout * 100)) left=$timeout pause=1 was=0
        while [ "$left" -gt 0 ]; do
            [ "$left" -ge "$pause" ] || pause=$left
            sleep "$pause" &
            # A signal ends the wait and not what is waited for.
            until wait $!; ! kill -0 $! 2>/dev/null; do :; done
            # What prints is looked at every second, what is silent now and then.
            written 3 4
            if [ "$o" -gt "$was" ]; then pause=1; else pause=$((pause < 16 ? pause * 2 : 16)); fi
            [ "$o" -le "$most" ] || { trim "$r.out"; trim "$r.err"; }
            was=$o
            uptime
            left=$(((due - up + 99) / 100))
        done
        ! over || exit 0
        trap '' TERM
        kill -TERM -$$
        uptime
        due=$((up + grace * 100))
        while members pgrp $$ || members ppid $$; do
            if [ "$up" -lt "$due" ]; then sleep 0.2 2>/dev/null || sleep 1
            elif [ "$up" -lt $((due + 500)) ]; then
                IFS=,; kill -KILL $pids; IFS=$ifs
                sleep 0.1 2>/dev/null || sleep 1
            else break; fi
            uptime
        done
        exit 3
    }
    # written OUT ERR: how much went through the runner's descriptors that the command was given, without a process to
    # count, into $outs and $errs, and of both into $o.
    written() {
        outs=0 errs=0
        { read -r _ outs </proc/$$/fdinfo/$1 && read -r _ errs </proc/$$/fdinfo/$2; } 2>/dev/null
        o=$((outs + errs))
    }
    # holders: who has the output still open.
    holders() {
        for p in /proc/[0-9]*; do
            [ "${p#/proc/}" != $$ ] || continue
            for line in 1 2; do
                [ "$p/fd/$line" -ef "$r.out" ] || [ "$p/fd/$line" -ef "$r.err" ] || continue
                line=
                { read -r line <"$p/comm"; } 2>/dev/null
                printf '%s %s\n' "${p#/proc/}" "$line"
                break
            done
        done 2>/dev/null | head -n 5 >"$r.held"
        # Those of another user do not show.
        [ -s "$r.held" ] || echo - >"$r.held"
    }

    # Ends with: 0 the state tells, 11 busy, 12 not the owner, 13 other receipts, 14 cannot record, 15 cannot roll forward.
    born
    claim "$lock" "$id" || leave 11
    look
    case $state in absent | vanished) ;; *) leave 0 ;; esac
    [ "${wdigest:-$digest}" = "$digest" ] || leave 0
    permitted || leave 12
    [ ! -e "$W/staging/$key/commit" ] || $shell "$0" _forward "$key" || leave 15
    echo "$id" >"$lock" && echo "$boot $$ $start $digest ${lock##*/}" >"$r.run" && command exec 3>>"$r.out" 4>>"$r.err" || leave 14
    # Where the exclusive creation fails, a fence was faster.
    mark "$r.go" || refuse fenced
    if [ "$job" = - ]; then cd "$W"; else cd -P "$W/jobs/$job"; fi 2>/dev/null || refuse nojob
    # The paths of a small job are the only arguments from here on.
    set --
    if [ "$target" != - ] && [ -s "$W/deployed/$job" ]; then
        L=$W/left/$job
        # Where the last target has not ended well, nobody knows what it has changed.
        if [ -d "$L" ]; then [ ! -s "$L/before" ] || whole=1
        else mkdir -p "$L" && sync "$W/left" || leave 14; fi
        while [ $# -lt 64 ] && IFS=' ' read -r k _ _ p <&5; do
            case $k in f | l) set -- "$@" "${p%/}" ;; esac
        done 5<"$W/deployed/$job"
        if [ $# -eq 0 ] || [ $# -ge 64 ]; then
            set --
            sed '/^d/d;s,/$,,;s,^[^/]*,.,' "$W/deployed/$job" | tr '\n' '\0' >"$L/paths" || leave 14
        fi
        survey "$L/before" "$@"
        [ -s "$L/before" ] || leave 14
    fi
    mark "$r.began" || { untouched; refuse nospace; }
    sync "$r.run" "$R/$run" ${L:+"$L/before"}
    # As late as can be: what was frozen or delayed must not begin after it was given up. Into a file that is there
    # anyway: a substitution would cost the copy of this shell.
    identity "$r.go"
    same || { withdraw generation; leave 13; }
    [ "$latest" -eq 0 ] || [ "$now" -lt "$latest" ] || { withdraw late; leave 0; }

    watcher=
    # The group is signalled as a whole, by the watcher or by what the command starts, and both must outlive it. From
    # here on, so that no moment is left in which the watcher has no trap yet.
    trap '' HUP QUIT USR1 USR2 ALRM TERM
    # The shell itself takes the lowest that is free, for a moment.
    exec 5<&- 6<&- 7<&- 8<&-
    [ "$timeout" -eq 0 ] || { watch & watcher=$!; }
    # Caught, not ignored: the command gets the default back. Without INT, beside which bash loses other signals.
    trap : HUP QUIT USR1 USR2 ALRM TERM
    # Who has the output open when all others have closed it has these locks still.
    case $id in *-probe-*) ;; *) flock -n 3; flock -n 4 ;; esac 2>/dev/null
    USER=${USER:-${LOGNAME:-$(id -un)}}
    # Folders of the login that are not there already. A relative one would be another in each folder.
    path=$PATH
    IFS=:
    set -f
    for p in $MAAND_LOGIN_PATH; do
        case $p in /*) case :$path: in *":$p:"*) ;; *) path=$path:$p ;; esac ;; esac
    done
    set +f
    IFS=$ifs
    read -r begun _ </proc/uptime
    # Not in parentheses, which would cost a copy of this shell.
    umask 022
    env -i HOME="${HOME:-/}" USER="$USER" LOGNAME="${LOGNAME:-$USER}" LANG=C.UTF-8 PATH="$path" SHELL=/bin/sh \
        ${XDG_RUNTIME_DIR:+"XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR"} $shell "$c" >&3 2>&4 3>&- 4>&- 9>&-
    status=$?
    umask 077
    read -r ended _ </proc/uptime
    kind=exit
    if [ "$watcher" ]; then
        exec 8</dev/null
        kill "$watcher" 2>/dev/null
        # The signal to the group may interrupt the wait.
        until wait "$watcher"; w=$?; [ "$w" -lt 128 ] || ! kill -0 "$watcher" 2>/dev/null; do :; done
        [ "$w" -ne 3 ] || kind=timeout
    fi
    if [ "$L" ] && [ "$kind.$status" = exit.0 ]; then
        survey "$L/after" "$@"
        # Where times have no fractions, a change in the second of a push would not show.
        { read -r _ && read -r line; } <"$L/after"
        case ${line%% ./*} in *.*) ;; *) whole=1 ;; esac
        # What cannot be recorded stays the work of a target that has not ended.
        { [ -z "$whole" ] && cmp -s "$L/before" "$L/after"; } || note 2>/dev/null && true >"$L/before"
    fi
    written 3 4
    [ "$o" -le "$most" ] || { trim "$r.out"; trim "$r.err"; }
    held=
    case $id in
    *-probe-*) ;;
    *)
        exec 3>&- 4>&-
        if kept; then held=1; holders; fi
        ;;
    esac
    o=$kind.$status.$((${ended%.*}${ended#*.} - ${begun%.*}${begun#*.})).$outs.$errs
    mark "$r.done.$o" || mv "$r.began" "$r.done.$o"
    # For a user who has lost the catalog; if it is missing, the next plan acts once more than it had to.
    echo "$id $kind.$status $target" >"$lock"
    # What is empty has nothing that could be lost but its name.
    set -- "$R/$run"
    [ "$errs" = 0 ] || set -- "$r.err" "$@"
    [ "$outs" = 0 ] || set -- "$r.out" "$@"
    sync "$@"
    [ "$held" ] || exit 0
    exec 9>&-
    setsid $shell "$0" _keep "$id" </dev/null >/dev/null 2>&1 &
    exit 0
fi

# What still writes to the output of an attempt that has ended must not fill the disk, and nobody reads it. Ends when nothing
# has it open any more.
if [ "$verb" = _keep ]; then
    attempt "$1"
    pause=1 was=0
    while kept; do
        for found in out err; do trim "$r.$found"; done
        set -- $(stat -c %s "$r.out" "$r.err" 2>/dev/null)
        o=$((${1:-0} + ${2:-0}))
        if [ "$o" -ne "$was" ]; then pause=1; else pause=$((pause < 60 ? pause * 2 : 60)); fi
        was=$o
        sleep "$pause"
    done
    rm -f "$r.held"
    # Its run was cleaned up meanwhile, all but this.
    [ ! -e "$R/$run.settled" ] || rm -f "$r.out" "$r.err"
    [ ! -e "$R/$run.settled" ] || rmdir "$R/$run" 2>/dev/null
    exit 0
fi

# inquire ID GENERATION LIMIT: reports without waiting or beginning.
if [ "$verb" = inquire ]; then
    read -r nonce || exit 64
    attempt "$1"
    expected=$2 limit=$3
    look
    case $state in
    absent)
        recognise
        ;;
    vanished) vanished ;;
    esac
    report
fi

# fence ID GENERATION CONTROLLER SEQUENCE NONCE LIMIT: closes the id where it has not begun, and reports.
if [ "$verb" = fence ]; then
    read -r nonce || exit 64
    attempt "$1"
    expected=$2 owner="$3 $4 $5" limit=$6
    owned
    look
    case $state in
    absent | running)
        recognise
        # A runner that lives and has not created `go` yet loses here.
        if mark "$r.go"; then
            mark "$r.done.fenced"
            sync "$R/$run" "$R"
        fi
        look
        ;;
    vanished) vanished ;;
    esac
    report
fi

# settle ID CONTROLLER SEQUENCE NONCE: what a dead attempt left behind holds nobody up any more.
if [ "$verb" = settle ]; then
    read -r nonce || exit 64
    attempt "$1"
    owner="$2 $3 $4"
    owned
    true >"$r.settled" || exit 1
    sync "$R/$run"
    answer settled
fi

# clean: removes the receipts of the runs that are named on standard input, but keeps a tombstone of each, and keeps every
# run in which something is not over.
clean() {
    owner_run=$run
    set --
    while read -r run; do
        case $run in '' | "$owner_run" | *[!A-Za-z0-9]*) continue ;; esac
        for go in "$R/$run"/*.go; do
            [ -e "$go" ] || continue
            attempt "${go##*/}"
            attempt "${id%.go}"
            look
            case $state in running | died\ *) [ -e "$r.settled" ] || continue 2 ;; esac
        done
        [ -d "$R/$run" ] || [ ! -e "$R/$run.settled" ] || continue
        true >"$R/$run.settled" || continue
        set -- "$@" "$run"
    done
    [ $# -gt 0 ] && sync "$R" || return 0
    for run do
        shift
        [ -d "$R/$run" ] || continue
        for line in "$R/$run"/*.held; do
            [ -e "$line" ] || { set -- "$@" "${R:?}/$run"; break; }
            # A file that is removed while a process has it open would grow unseen.
            spare "$run"
            break
        done
    done
    [ $# -eq 0 ] || rm -rf "$@"
}
# spare RUN: removes its receipts but for output that a process has open.
spare() {
    for found in "$R/$1"/* "$R/$1"/.[!.]*; do
        r=${found%.*}
        case $found in
        *.out | *.err | *.held) [ -e "$r.held" ] && kept || rm -rf "$found" ;;
        *) rm -rf "$found" ;;
        esac
    done
    rmdir "$R/$1" 2>/dev/null
}

# preflight CONTROLLER SEQUENCE NONCE TAKEOVER SEED KNOWN SEEN: creates the bucket's directories, takes ownership, tells facts
# and all faults at once. SEED becomes the random part of the generation where there is none yet. KNOWN: the number of a
# run, and the nonces of all runs of the controller from that one on, with dots between; or `-`. SEEN: 1 where the run has seen the worker before: then its receipts are there, or lost. Input: the answer's nonce, and
# the runs whose receipts are of no use any more.
if [ "$verb" = preflight ]; then
    read -r nonce || exit 64
    # Two may ask at once: a worker that has two names, or one that is asked again.
    probe=$R/.lock/.probe.$$
    trap 'rm -f "$probe"' EXIT
    faults=0
    fault() { faults=1; say fault "$@"; }
    # strange KNOWN: whether who took the worker last is no run that the controller knows: its catalog is an old copy.
    strange() {
        [ "$1" != - ] && [ "$o2" -ge "${1%%.*}" ] || return 1
        case .$1. in *".$o3."*) return 1 ;; esac
    }
    for t in make tar sha256sum setsid flock stat sync xargs mkdir mv rm rmdir tail head wc env id date sleep find grep sed tr \
        sort readlink ln cmp df; do
        command -v "$t" >/dev/null || fault tool "$t"
    done
    umask 022
    [ -d "$W/jobs" ] || mkdir -p "$W/jobs" || fault directory "$W/jobs"
    umask 077
    if [ ! -d "$R/.lock" ] || [ ! -d "$W/staging" ] || [ ! -d "$W/deployed" ] || [ ! -d "$W/left" ]; then
        mkdir -p "$R/.lock" "$W/staging" "$W/deployed" "$W/left" || fault directory "$R"
    fi
    if [ "$faults" = 0 ]; then
        { echo probe >"$probe" && [ -w "$W/jobs" ]; } 2>/dev/null || fault write "$W"
        { command exec 9>>"$probe" && flock -s -n 9; } 2>/dev/null || fault lock "$W"
        # Of several who are here first, one makes it.
        [ -s "$R/generation" ] || { echo "$5" >"$probe" && { ln "$probe" "$R/generation" 2>/dev/null ||
            [ -s "$R/generation" ]; } && rm -f "$probe"; } || fault write "$R"
    fi
    identity
    say fact generation "$generation"
    say fact boot "$boot"
    say fact clock "$now"
    { df -Pk "$W" >"$probe" && { read -r _ && read -r _ _ _ free _; } <"$probe"; } 2>/dev/null &&
        say fact free "$free"
    # Whether logind ends what was started here together with the session. Under sudo that is still the session of who
    # logged in.
    kills=no
    while read -r scope; do
        case $scope in *user-*.slice/session-*.scope*) ;; *) continue ;; esac
        busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager \
            KillUserProcesses KillOnlyUsers KillExcludeUsers >"$probe" 2>/dev/null
        { read -r _ kill && read -r _ _ only && read -r _ _ except; } 2>/dev/null <"$probe" || break
        name=${SUDO_USER:-${USER:-${LOGNAME:-$(id -un)}}}
        case $kill in true) kills=yes ;; esac
        case $except in *"\"$name\""*) kills=no ;; esac
        case $only in '' | *"\"$name\""*) ;; *) kills=no ;; esac
        break
    done </proc/self/cgroup
    say fact killuserprocesses "$kills"
    owner="$1 $2 $3" run=$3 seen=$7 refused=
    if permitted; then set --
    elif [ "$o1" ] && [ "$4" != 1 ] && { [ "$o1" != "$1" ] || [ "$2" -le "$o2" ] || strange "$6"; }; then
        refused=1
        say owner "$o1" "$o2" "$o3"
    elif [ "$faults" = 0 ]; then
        { echo "$owner" >"$W/.owner.$$" && sync "$W/.owner.$$" && mv "$W/.owner.$$" "$W/owner"; } || fault write "$W"
        # What an earlier run has staged and not brought in, nobody will. Not before it is known who owns
        # the worker: a push from which the files are taken asks that.
        for old in "$W"/staging/*; do
            [ ! -d "$old" ] || [ -e "$old/commit" ] || rm -rf "$old"
        done
        # Of probes that were killed before they could remove them.
        for old in "$R"/*/*-probe-*; do
            [ ! -e "$old" ] || find "$R" -name '*-probe-*' -mmin +1440 -exec rm -f {} +
            break
        done
        set -- "$W"
    fi
    if [ -z "$refused" ] && [ "$faults" = 0 ]; then
        # So that no attempt has to make it.
        if [ "$seen" != 1 ] && [ ! -d "$R/$run" ] && [ ! -e "$R/$run.settled" ]; then
            mkdir "$R/$run" 2>/dev/null || [ -d "$R/$run" ] || fault write "$R"
            set -- "$@" "$R"
        fi
        [ $# -eq 0 ] || sync "$@" || fault write "$W"
        clean
    fi
    answer preflight
fi

# inventory: for each job, what was deployed as it is now, and the last word on it. Touches nothing.
# A line of `paths` is KIND ./PATH/ with the kind that is there now, after an l line come digest and size of the link's
# text, which may be anything; `sums` and `sizes` are of the regular files, in their order. `left` and `service` are as in
# the folder `left`.
if [ "$verb" = inventory ]; then
    read -r nonce || exit 64
    permitted
    say owner "${o1:--}" "${o2:-0}" "${o3:--}"
    paths() {
        while IFS=' ' read -r _ _ _ p; do
            p=${p%/}
            if [ -L "$p" ]; then
                printf 'l %s/\n' "$p"
                # Line feeds at its end are of the text, which the shell would take away.
                text=$(readlink -n -- "$p"; echo .)
                set -- $(printf %s "${text%.}" | sha256sum) $(printf %s "${text%.}" | wc -c)
                echo "$1 $3"
            elif [ -f "$p" ]; then if [ -x "$p" ]; then printf 'x %s/\n' "$p"; else printf 'f %s/\n' "$p"; fi
            elif [ -d "$p" ]; then printf 'd %s/\n' "$p"
            fi
        done <"$list"
    }
    regular() {
        while IFS=' ' read -r _ _ _ p; do
            p=${p%/}
            [ -L "$p" ] || [ ! -f "$p" ] || printf '%s\0' "$p"
        done <"$list"
    }
    for list in "$W"/deployed/*; do
        [ -f "$list" ] || continue
        job=${list##*/} last= outcome= target=
        cd -P "$W/jobs/$job" 2>/dev/null || continue
        { read -r last outcome target <"$R/.lock/$job"; } 2>/dev/null
        [ ! -e "$W/staging/$job/commit" ] || outcome=
        say job "$job" "${outcome:--}" "${target:--}"
        say deployed
        cat "$list"
        say paths
        paths
        say sums
        regular | xargs -0 sha256sum --
        say sizes
        regular | xargs -0 stat -c %s --
        say manifest
        [ -L manifest.json ] || [ ! -f manifest.json ] || head -c 65536 manifest.json
        say left
        [ ! -s "$W/left/$job/record" ] || cat "$W/left/$job/record"
        say service
        [ ! -s "$W/left/$job/service" ] || cat "$W/left/$job/service"
    done 2>/dev/null
    answer inventory
fi

# ---- Files. Paths in lists begin with `./`, so that no name is an option; none holds a line feed.

# occupy JOB: the job's lock, for this shell and what it starts.
occupy() {
    born
    claim "$R/.lock/$1" "push.$$.$start" || answer busy "${other:--}"
    # The wait may have been long.
    owned
    echo "push.$$.$start" >"$R/.lock/@$1" || answer failed nospace
}

# unsaid: before the first change of the job's files. The last word on the job was about what was there.
unsaid() { echo "push.$$.$start" >"$R/.lock/$job" || answer failed nospace; }

# still_owned: before a marker after which there is only the way forward. What was sent may have taken long, too.
still_owned() {
    permitted || rm -rf "$S"
    owned
}

# by_folder LIST FUNCTION: calls FUNCTION FOLDER NAME... for the paths of the list, which lie together by folder.
by_folder() {
    [ -s "$1" ] || return 0
    list=$1 function=$2 folder=
    set --
    while IFS= read -r path <&3; do
        if [ "${path%/*}" != "$folder" ] || [ $# -ge 200 ]; then
            [ $# -eq 0 ] || "$function" "$folder" "$@" || return 1
            set --
            folder=${path%/*}
        fi
        set -- "$@" "${path##*/}"
    done 3<"$list"
    [ $# -eq 0 ] || "$function" "$folder" "$@"
}

# enter FOLDER: goes there, and only there: a symbolic link on the way, set at whatever moment, is refused.
enter() { cd -P -- "$J/$1" 2>/dev/null && [ "$PWD" = "$J${1#.}" ]; }

move_into() {
    enter "$1" || return 1
    from=$T/$1
    shift
    for n do
        shift
        # What is not there any more was moved before an interruption.
        if [ -e "$from/$n" ] || [ -L "$from/$n" ]; then set -- "$@" "$from/$n"; fi
    done
    printf '%s\n' "$PWD" >>"$S/touched"
    [ $# -eq 0 ] || mv -f -- "$@" .
}
in_folder() {
    # A folder that is gone holds nothing to remove.
    [ -d "$J/$1" ] || return 0
    enter "$1" || return 1
    printf '%s\n' "$PWD" >>"$S/touched"
    shift
    for n do shift; set -- "$@" "./$n"; done
    case $removal in
    files) rm -f -- "$@" ;;
    trees) rm -rf -- "$@" ;;
    folders) rmdir -- "$@" 2>/dev/null || : ;;
    esac
}
make_folders() {
    enter "$1" || return 1
    printf '%s\n' "$PWD" >>"$S/touched"
    shift
    for n do shift; [ -d "./$n" ] || set -- "$@" "./$n"; done
    [ $# -eq 0 ] || (umask 022; mkdir -- "$@")
}

# sync_touched FOLDER: it and those that were changed, as far as they are still there.
sync_touched() {
    last=
    while IFS= read -r path <&3; do
        [ "$path" != "$last" ] && [ -d "$path" ] || continue
        last=$path
        if [ $# -ge 200 ]; then sync "$@"; set --; fi
        set -- "$@" "$path"
    done 3<"$S/touched"
    [ $# -eq 0 ] || sync "$@"
}

places() { job=$1 J=$W/jobs/$1 S=$W/staging/$1 T=$W/staging/$1/tree L=$W/left/$1; }

# forget: everything is as it was pushed, so that nothing is the work of targets any more; but for what the service may
# rewrite, which was left as it is.
forget() {
    [ ! -s "$L/before" ] || true >"$L/before" || return 1
    [ -s "$L/record" ] || return 0
    if [ -s "$L/service" ]; then
        sed 's,^[^ ]*,,' "$L/service" >"$L/names" && { grep -Ff "$L/names" "$L/record" >"$L/spared" || [ $? -eq 1 ]; } &&
            mv -f "$L/spared" "$L/record" && rm -f "$L/names"
    else true >"$L/record"; fi
}

# settle_push: after the commit marker there is only this way. It may be interrupted and repeated anywhere.
forward() {
    if [ -e "$S/deployed" ]; then
        [ -d "$J" ] || (umask 022; mkdir "$J") || return 1
        cd -P "$J" && J=$PWD || return 1
        true >"$S/touched" || return 1
        removal=trees
        by_folder "$S/clear" in_folder && by_folder "$S/folders" make_folders && by_folder "$S/moves" move_into || return 1
        removal=files
        by_folder "$S/deletes" in_folder || return 1
        removal=folders
        by_folder "$S/empty" in_folder || return 1
        cd "$W"
        if [ -s "$S/service" ]; then cat "$S/service" >"$L/service" || return 1
        elif [ -s "$L/service" ]; then true >"$L/service" || return 1; fi
        [ ! -e "$S/whole" ] || forget || return 1
        sync_touched "$W/jobs"
        mv -f "$S/deployed" "$W/deployed/$job" && sync "$W/deployed" || return 1
    fi
    rm -rf "$S"
}

if [ "$verb" = _forward ]; then
    places "$1"
    forward
    exit
fi

# stamps FILE: what is at each path of the plan now, so that any change shows: another file has another inode, and every
# change of one moves the time of its last change, which nobody can set.
stamps() {
    out=$1
    true >"$out" || return 1
    set --
    while IFS=' ' read -r k _ _ _ _ _ p <&3; do
        [ "$k" != l ] || IFS= read -r _ <&3
        set -- "$@" "$J/${p%/}"
        if [ $# -ge 200 ]; then stat -c "$stamp" -- "$@" >>"$out" 2>/dev/null; set --; fi
    done 3<"$S/plan"
    [ $# -eq 0 ] || stat -c "$stamp" -- "$@" >>"$out" 2>/dev/null
    return 0
}
stamp='%i %f %s %Z %z %n'

# push JOB MODE GENERATION CONTROLLER SEQUENCE NONCE TOKEN HINTS
# MODE `check`: compares only. `apply`: a path may hold what the plan says it holds, or what it shall hold; anything
# else is drift, and nothing is touched. `force`: what is sent replaces whatever is there. `stage`: as `apply`, but stops
# when everything lies verified and synced beside the target; `commit` brings in what was staged under that TOKEN.
# HINTS: letters, or `-`. `t`: a target runs when this is done, so that a path that is the work of an earlier target has to
# hold what was pushed; where the plan does not send that, the answer names the paths, and nothing is touched. `n`: nothing
# of the job is said to be there, so that what an earlier push and its targets left is replaced. `m`: a mode is a
# difference, too, and what targets did is no excuse.
# Input: the nonce, then, but for `commit`, a tar archive of `plan`, `service` and `tree/`, the files that are to be
# replaced. A line of `plan` is
#   KIND DIGEST MODE FROMKIND FROMDIGEST FROMMODE ./PATH/
# with kinds f, l, d or `-` for nothing; from `= = =` where it is as it shall be. After an l line comes the link's text.
# `service` may be missing.
if [ "$verb" = push ]; then
    read -r nonce || exit 64
    places "$1"
    mode=$2 expected=$3 owner="$4 $5 $6" hints=$8
    recognise
    owned
    occupy "$job"
    if [ -e "$S/commit" ]; then forward || answer failed forward; fi
    if [ "$mode" = commit ]; then
        staged=
        { read -r staged <"$S/staged"; } 2>/dev/null
        [ "$staged" = "$7 $owner" ] && [ ! -L "$J" ] || answer unstaged
        # Whatever somebody may have changed since it was looked at is for a push that compares again.
        stamps "$S/stamps.now" && cmp -s "$S/stamps" "$S/stamps.now" || answer unstaged
        still_owned
        unsaid
        true >"$S/commit" && sync "$S" || answer failed sync
        forward || answer failed forward
        answer pushed
    fi
    [ ! -e "$S" ] || rm -rf "$S"
    # Nobody else can look into the folder, and files get just the modes that they are sent with.
    umask 000
    { mkdir -p "$T" && tar -xomf - -C "$S" 9>&- && [ -e "$S/plan" ]; } || {
        rm -rf "$S"
        # A run that takes the worker over removes what is not brought in.
        owned
        answer failed transfer
    }
    umask 077
    [ ! -L "$J" ] || answer failed symlink
    drifted=0 fresh=0
    drift() {
        drifted=$((drifted + 1))
        [ "$drifted" -gt 200 ] || say drift "$1" "$2"
    }
    # differs KIND DIGEST WORD PATH: there is something else than what was there and what shall be there, or nothing. Who
    # did that is asked when all is known: a line of `differing` says whether the plan changes the path, what the
    # controller is told, what was pushed, and the path; one of `asked` what makes it the work of a target.
    differs() {
        case $fk in =) printf '= %s %s %s/\n' "$3" "$d" "$4" ;; *) printf '+ %s %s %s/\n' "$3" "$d" "$4" ;; esac >&5
        case $hints in
        *n*) printf '%s %s %s/\n' "$1" "$2" "$4" ;;
        *)
            printf '%s %s %s %s %s/\n' "$1" "$2" "$k" "$d" "$4"
            [ "$fk" = = ] || printf '%s %s %s %s %s/\n' "$1" "$2" "$fk" "$fd" "$4"
            ;;
        esac >>"$S/asked"
    }
    # obstructed PATH: where a folder stands in the way of a file, whether anything in it is not ours.
    obstructed() {
        (cd "$J" && find "$1" ! -type d) >"$S/inside"
        [ -s "$S/inside" ] || return 1
        [ -s "$S/had" ] && ! grep -qvxFf "$S/had" "$S/inside" && return 1
        return 0
    }
    # mode_of MODE FROMMODE: what the mode of the file in place counts as: what its owner may do with it, unless one of the
    # two says more.
    mode_of() {
        for am do
            case $am in
            644 | 755 | 777 | - | =) ;;
            *)
                am=$(stat -c %a -- "$P")
                return 0
                ;;
            esac
        done
        if [ -x "$P" ]; then am=755; else am=644; fi
    }
    # the_link: whether the link in place has the text, or may be replaced.
    the_link() {
        there=$(readlink -- "$P" 2>/dev/null)
        if [ "$k" = l ] && [ "$there" = "$text" ]; then return 0; fi
        [ "$mode" = force ] && [ "$fk" != = ] && return 1
        set -- $(printf %s "$there" | sha256sum)
        [ "$fk $fd" = "l $1" ] || differs l "$1" link "$p"
        return 1
    }
    # judge: of each path that differs, whether a target of ours or the service has done that; the others have drifted.
    judge() {
        true >"$S/ours" && true >"$S/spared" || return 1
        open=
        case $mode.$hints in
        force.* | *.*m*) ;;
        *.*n*)
            {
                [ ! -s "$W/deployed/$job" ] || sed 's,^\([fl] [^ ]*\) [^ ]* \./,\1 ./,' "$W/deployed/$job"
                [ ! -s "$L/record" ] || sed "$leavings" "$L/record" | sed 's,^\([^ ]* [^ ]*\) [^ ]* [^ ]* ,\1 ,'
            } >"$S/own" || return 1
            # Of a target that has not ended well, whatever was pushed there.
            [ ! -s "$L/before" ] || [ ! -s "$S/had" ] || open=listed
            ;;
        *)
            [ ! -s "$L/record" ] || sed "$leavings" "$L/record" >"$S/own" || return 1
            [ ! -s "$L/before" ] || open=all
            ;;
        esac
        sed 's,^[^/]*\./,./,' "$S/differing" >"$S/paths" || return 1
        if [ "$open" = listed ]; then
            sed 's,$,/,' "$S/had" >"$S/own" || return 1
            grep -xFf "$S/own" "$S/paths" >"$S/ours"
        fi
        if [ -z "$open" ] && [ -s "$S/own" ]; then
            grep -xFf "$S/own" "$S/asked" | sed 's,^[^/]*\./,./,' >"$S/ours" || return 1
        fi
        if [ -s "$S/service" ]; then
            sed 's,^[^ ]* ,,' "$S/service" >"$S/rewritten" || return 1
            grep -xFf "$S/rewritten" "$S/paths" >"$S/spared"
        fi
        ours= spared= last=
        while IFS=' ' read -r u word d p <&3; do
            while [ -z "$ours" ] && IFS= read -r ours <&4; do [ "$ours" != "$last" ] || ours=; done
            [ "$spared" ] || IFS= read -r spared <&5
            who=$open
            [ "$ours" != "$p" ] || who=ours ours=
            [ "$who" != listed ] || who=
            if [ "$spared" = "$p" ]; then
                spared=
                # Of what is not known to be there, the service's are those that stay as they were pushed.
                case $hints in
                *m*) sed 's,^\(f [^ ]*\) [^ ]* ,\1 ,' "$W/deployed/$job" 2>/dev/null | grep -qxF "f $d $p" && who=service ;;
                *) who=service ;;
                esac
            fi
            last=$p
            case $who$u in
            service? | *+) [ "$who" ] || drift "$word" "${p%/}" ;;
            =) drift "$word" "${p%/}" ;;
            *)
                case $hints in *t*) ;; *) continue ;; esac
                needs=$((needs + 1))
                [ "$needs" -gt 200 ] || say need "${p%/}"
                ;;
            esac
        done 3<"$S/differing" 4<"$S/ours" 5<"$S/spared"
        return 0
    }
    # A line of `record` as one of `asked`.
    leavings='s,^[^/]* \([fl-] [^ ]* [fl] [^ ]* \./\),\1,'
    [ ! -s "$W/deployed/$job" ] || while IFS=' ' read -r k _ _ p; do
        printf '%s\n' "${p%/}" >&4
        [ "$k" != l ] || printf '%s\n' "${p%/}" >>"$S/links"
    done <"$W/deployed/$job" 4>"$S/had"
    token=$7
    if [ "$mode" = stage ]; then
        # Before anything is looked at. Where times have no fractions, what changed in this second may change again unseen.
        stamps "$S/stamps" || answer failed lists
        while IFS=' ' read -r _ _ _ z _; do [ "$z" -lt "$now" ] || token=-; done <"$S/stamps"
    fi
    # Paths to hash: the first ones are arguments, so that a few need neither a list nor `xargs`.
    set --
    while IFS=' ' read -r k d m fk fd fm p <&3; do
        p=${p%/} text=
        [ "$k" = l ] && IFS= read -r text <&3
        P=$J/$p
        printf '%s\n' "$p" >&7
        case $p in ./data | ./data/* | ./logs | ./logs/* | ./bin | ./bin/* | */../* | */..) answer failed "path $p" ;; esac
        [ "$k" = - ] || printf '%s %s %s %s/\n' "$k" "$d" "$m" "$p" >&8
        if [ -L "$P" ]; then is=l
        elif [ -f "$P" ]; then is=f; mode_of "$m" "$fm"
        elif [ -d "$P" ]; then is=d
        elif [ -e "$P" ]; then is=other
        else is=-; fi
        staged=
        if [ "$fk" != = ] && [ "$mode" != check ]; then case $k in f | l) staged=1 ;; esac; fi
        case $k$staged in
        f1)
            if [ -L "$T/$p" ] || [ ! -f "$T/$p" ]; then answer failed "missing $p"; fi
            printf 's f %s - - - %s/\n' "$d" "$p" >&4
            if [ $# -lt 64 ]; then set -- "$@" "$T/$p"; else printf '%s\0' "$T/$p" >>"$S/hash"; fi
            fresh=$((fresh + 1))
            ;;
        l1) [ "$(readlink -- "$T/$p")" = "$text" ] || answer failed "missing $p" ;;
        esac
        case $k$is in
        ff | -f)
            role=c
            [ "$k" = f ] || role=x
            printf '%s %s %s.%s %s %s.%s %s %s/\n' "$role" "$k" "$d" "$m" "$fk" "$fd" "$fm" "$am" "$p" >&4
            if [ $# -lt 64 ]; then set -- "$@" "$P"; else printf '%s\0' "$P" >>"$S/hash"; fi
            ;;
        ll) the_link || [ -z "$staged" ] || printf '%s\n' "$p" >&6 ;;
        -l) the_link; printf '%s\n' "$p" >>"$S/deletes" ;;
        dd) ;;
        d-) printf '%s\n' "$p" >>"$S/folders" ;;
        df)
            printf 'o %s %s.- %s %s.%s %s %s/\n' "$k" "$d" "$fk" "$fd" "$fm" "$am" "$p" >&4
            if [ $# -lt 64 ]; then set -- "$@" "$P"; else printf '%s\0' "$P" >>"$S/hash"; fi
            printf '%s\n' "$p" >>"$S/clear"
            printf '%s\n' "$p" >>"$S/folders"
            ;;
        dl)
            # Never through a link that is not known to be ours.
            if [ "$fk" != l ] && ! grep -sqxF -e "$p" "$S/links"; then drift link "$p"; else the_link; fi
            printf '%s\n' "$p" >>"$S/clear"
            printf '%s\n' "$p" >>"$S/folders"
            ;;
        fl)
            the_link
            [ -z "$staged" ] || printf '%s\n' "$p" >&6
            ;;
        lf)
            printf 'o %s %s.- %s %s.%s %s %s/\n' "$k" "$d" "$fk" "$fd" "$fm" "$am" "$p" >&4
            if [ $# -lt 64 ]; then set -- "$@" "$P"; else printf '%s\0' "$P" >>"$S/hash"; fi
            [ -z "$staged" ] || printf '%s\n' "$p" >&6
            ;;
        fd | ld)
            if obstructed "$p"; then drift folder "$p"
            elif [ "$fk" != d ] && [ "$mode" != force ]; then differs d - folder "$p"; fi
            printf '%s\n' "$p" >>"$S/clear"
            [ -z "$staged" ] || printf '%s\n' "$p" >&6
            ;;
        f- | l-)
            # Added, or removed before an interruption; otherwise somebody has removed it.
            [ "$fk" = - ] || { [ "$mode" = force ] && [ "$staged" ]; } || differs - - none "$p"
            [ -z "$staged" ] || printf '%s\n' "$p" >&6
            ;;
        -d) [ "$fk" = d ] || [ "$mode" = force ] || differs d - folder "$p"; printf '%s\n' "$p" >>"$S/empty" ;;
        --) ;;
        *) drift other "$p" ;;
        esac
    done 3<"$S/plan" 4>"$S/expect" 5>"$S/differing" 6>"$S/moves" 7>"$S/known" 8>"$S/deployed"

    # What an earlier push left that this plan does not know.
    if [ -s "$S/had" ] && grep -vxFf "$S/known" "$S/had" >"$S/extra"; then
        k=- d=- m=- next=
        while IFS=' ' read -r fk fd fm p <&3; do
            p=${p%/} P=$J/$p
            [ "$next" ] || IFS= read -r next <&6 || break
            [ "$p" = "$next" ] || continue
            next=
            if [ -L "$P" ] || [ -f "$P" ]; then printf '%s\n' "$p" >>"$S/deletes"
            elif [ -d "$P" ]; then
                printf '%s\n' "$p" >>"$S/empty"
                continue
            else continue; fi
            case $mode.$hints in
            force.*) ;;
            *.*n*)
                # Ours where it still is what was pushed, or what a target has made of that.
                if [ -L "$P" ]; then the_link
                else
                    mode_of - "$fm"
                    printf 'x - -.- %s %s.%s %s %s/\n' "$fk" "$fd" "$fm" "$am" "$p" >&4
                    if [ $# -lt 64 ]; then set -- "$@" "$P"; else printf '%s\0' "$P" >>"$S/hash"; fi
                fi
                ;;
            *)
                fk=-
                differs - - extra "$p"
                ;;
            esac
        done 3<"$W/deployed/$job" 4>>"$S/expect" 5>>"$S/differing" 6<"$S/extra"
    fi

    if [ $# -gt 0 ]; then
        sha256sum -- "$@" >"$S/sums" 9>&- || answer failed read
        [ ! -s "$S/hash" ] || xargs -0 sha256sum -- <"$S/hash" >>"$S/sums" 9>&- || answer failed read
        sent=
        while IFS=' ' read -r role k to fk from am p <&3 && IFS=' ' read -r sum _ <&4; do
            # Where the name holds a backslash, the line begins with one.
            sum=${sum#\\} p=${p%/}
            if [ "$role" = s ]; then
                [ "$sum" = "$to" ] || answer failed "digest $p"
                sent=$p
                continue
            fi
            d=${to%.*} fd=${from%.*}
            [ "$role.$sum.$am" != "c.$to" ] || continue
            case $role.$sum in
            # Another mode alone.
            "c.$d") [ "$p" = "$sent" ] || case $hints in *m*) differs f "$sum" "$sum.$am" "$p" ;; esac ;;
            *."$fd") ;;
            *) [ "$mode" = force ] && { [ "$role" != c ] || [ "$p" = "$sent" ]; } || differs f "$sum" "$sum.$am" "$p" ;;
            esac
            case $role in
            c) [ "$p" != "$sent" ] || printf '%s\n' "$p" >&6 ;;
            x) printf '%s\n' "$p" >&7 ;;
            esac
        done 3<"$S/expect" 4<"$S/sums" 5>>"$S/differing" 6>>"$S/moves" 7>>"$S/deletes"
    fi
    needs=0
    [ ! -s "$S/differing" ] || judge || answer failed lists
    if [ "$mode" = check ] || [ "$drifted" -gt 0 ]; then
        rm -rf "$S"
        [ "$drifted" -eq 0 ] || answer drift "$drifted"
        answer planned
    fi
    if [ "$needs" -gt 0 ]; then
        rm -rf "$S"
        answer needed "$needs"
    fi
    # When this is done, everything is as it was pushed.
    case $mode.$hints in force.* | *.*t*) true >"$S/whole" || answer failed lists ;; esac
    if [ ! -s "$S/moves" ] && [ ! -s "$S/deletes" ] && [ ! -s "$S/clear" ] && [ ! -s "$S/folders" ] &&
        [ ! -s "$S/empty" ] && cmp -s "$S/deployed" "$W/deployed/$job" && { [ ! -e "$S/service" ] && [ ! -s "$L/service" ] ||
            cmp -s "$S/service" "$L/service"; }; then
        [ ! -e "$S/whole" ] || forget || answer failed lists
        rm -rf "$S"
        answer unchanged
    fi
    [ -d "$L" ] || { mkdir -p "$L" && sync "$W/left"; } || answer failed lists
    # The deepest first.
    [ ! -s "$S/empty" ] || { sort -r "$S/empty" >"$S/list" && mv "$S/list" "$S/empty"; } || answer failed lists
    still_owned
    [ "$mode" = stage ] || unsaid
    # Only what is on disk may be promised by the marker. For many files one call for the whole file system is less.
    if [ "$fresh" -gt 64 ]; then sync -f "$S"
    else find "$S" \( -type d -o -type f -size +0 \) -exec sync "$W/staging" {} +; fi &&
        if [ "$mode" = stage ]; then
            # What would go with a folder, only another look can tell.
            [ ! -s "$S/clear" ] || token=-
            echo "$token $owner" >"$S/staged"
        else true >"$S/commit" && sync "$S"; fi ||
        answer failed sync
    [ "$mode" != stage ] || answer planned
    forward || answer failed forward
    answer pushed
fi

# remove JOB GENERATION CONTROLLER SEQUENCE NONCE: removes what was deployed; data/, logs/ and bin/ stay. Input: the answer's
# nonce, and lines as the list of what was deployed has them, which stand for it if there is none: what another program has
# brought here was never listed.
if [ "$verb" = remove ]; then
    read -r nonce || exit 64
    places "$1"
    expected=$2 owner="$3 $4 $5"
    recognise
    owned
    occupy "$job"
    [ ! -L "$J" ] || answer failed symlink
    if [ -e "$S/commit" ]; then forward || answer failed forward; fi
    unsaid
    [ -e "$W/deployed/$job" ] || cat >"$W/deployed/$job"
    if [ -s "$W/deployed/$job" ] && cd -P "$J" 2>/dev/null; then
        J=$PWD
        rm -rf "$S"
        mkdir "$S" && true >"$S/files" && true >"$S/folders" || answer failed lists
        while IFS=' ' read -r k _ _ p; do
            if [ "$k" = d ]; then printf '%s\n' "${p%/}" >&4; else printf '%s\n' "${p%/}" >&5; fi
        done <"$W/deployed/$job" 4>"$S/folders" 5>"$S/files"
        sort -r "$S/folders" >"$S/empty"
        removal=files
        by_folder "$S/files" in_folder || answer failed removal
        removal=folders
        by_folder "$S/empty" in_folder || answer failed removal
        cd "$W" && sync_touched "$J"
    fi
    rm -rf "$S" "$L"
    rm -f "$W/deployed/$job"
    rmdir "$J" 2>/dev/null
    sync "$W/deployed" "$W/jobs"
    answer removed
fi

# prove JOB GENERATION ATTEMPT DIGEST CONTROLLER SEQUENCE NONCE: whether this is still the worker that belongs to the run, and on
# which ATTEMPT was the last to act on the job, and ended well; with ATTEMPT `-`, the one on which a push left the list of
# this DIGEST. Touches nothing.
if [ "$verb" = prove ]; then
    read -r nonce || exit 64
    places "$1"
    expected=$2 owner="$5 $6 $7"
    recognise
    permitted || answer unproved owner
    [ -d "$J" ] || answer unproved nojob
    if [ "$3" = - ]; then
        set -- "$4" $(sha256sum <"$W/deployed/$job")
        [ "${2:--}" = "$1" ] || answer unproved files
        answer proved
    fi 2>/dev/null
    last= outcome=
    { read -r last outcome _ <"$R/.lock/$job"; } 2>/dev/null
    case $last in
    "$3") [ "$outcome" = exit.0 ] || answer unproved attempt "$last" ;;
    # Its last word could not be written.
    '')
        attempt "$3"
        outcome
        case $state in 'finished exit 0 '*) ;; *) answer unproved attempt ;; esac
        ;;
    *) answer unproved attempt "$last" ;;
    esac
    answer proved
fi

# show JOB LIMIT: the bytes of files of the job, to show them to a person. Touches nothing. Input: the nonce, a number of
# lines, and so many paths. Files of more than LIMIT bytes are left out, and what is reached through a link.
if [ "$verb" = show ]; then
    read -r nonce && read -r lines || exit 64
    places "$1"
    limit=$2
    [ ! -L "$J" ] && cd -P "$J" 2>/dev/null && J=$PWD || answer shown
    while [ "$lines" -gt 0 ] && IFS= read -r p; do
        lines=$((lines - 1)) p=${p%/}
        enter "${p%/*}" && [ ! -L "./${p##*/}" ] && [ -f "./${p##*/}" ] || continue
        { command exec 8<"./${p##*/}"; } 2>/dev/null || continue
        # Somebody may have put a link there just now: what counts is what is open.
        [ "$(readlink /proc/self/fd/8)" = "$PWD/${p##*/}" ] || continue
        [ "$(stat -L -c %s /proc/self/fd/8)" -le "$limit" ] || continue
        say file "$p/"
        head -c "$limit" <&8
    done
    answer shown
fi
say state unknown-verb
say end
exit 64
