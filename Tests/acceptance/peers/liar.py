#!/usr/bin/env python3
"""The commands of an SSH server whose worker lies: what runs in place of each command (sshd_config(5), ForceCommand).

~/lie names a verb of the worker script and a lie; that verb is answered with the lie, everything else is run as it is."""
import hashlib
import os
import shlex
import sys
import time

CONTROLS = b"\x1b]0;title\x07\x1b[2J\x1b[31m\xc2\x9b1m\xe2\x80\xae"
HASH = hashlib.sha256(b"x").hexdigest().encode()


def stall(_):
    time.sleep(3600)


def endless(stream, piece):
    def flood(_):
        while True:
            os.write(stream, piece)
    return flood


def said(*records, status=0, error=b""):
    """Records of an answer; `NONCE` stands for that of the question."""
    def answer(nonce):
        text = b"".join(b"\n@" + nonce + b" " + (r.encode() if isinstance(r, str) else r) + b"\n" for r in records)
        os.write(2, error)
        with os.fdopen(1, "wb") as out:
            out.write(text)
        sys.exit(status)
    return answer


def plain(text, status=0, error=b""):
    def answer(_):
        os.write(2, error)
        with os.fdopen(1, "wb") as out:
            out.write(text)
        sys.exit(status)
    return answer


COMMON = {
    "nothing": plain(b""),
    "nothing-and-controls": plain(b"", 1, CONTROLS + b"evil\nRun 1 succeeded.\n"),
    "another-state": said(b"state " + CONTROLS, "end"),
    "no-end": lambda nonce: said("state finished exit 0 1 0 0")(nonce),
    "output-without-end": endless(1, b"A" * 65536),
    "lines-without-end": endless(1, b"\n" * 65536),
    "errors-without-end": endless(2, b"E" * 65536),
    "records-without-end": lambda nonce: endless(1, (b"\n@" + nonce + b" x\n") * 1000)(nonce),
    "owner-with-controls": said(b"state owner " + CONTROLS + b" 99 x", "end"),
    "busy-with-controls": said(b"state busy ../../x" + CONTROLS, "end"),
    "generation-with-controls": said(b"state generation " + CONTROLS, "end"),
}
FACTS = ["fact generation g.1", "fact boot b", "fact clock 1795835453"]
DONE = ["state preflight", "end"]


def inventory(path=b"app.conf", size=b"1", sum=HASH, manifest=b'{"version": "9.9.9"}', owner=b"- 0 -", job=b"app", times=1):
    def answer(nonce):
        # The worker's own owner record, where the lie is about its number.
        name = owner
        if b"OWNER" in owner:
            root = os.path.dirname(os.path.dirname(shlex.split(os.environ["SSH_ORIGINAL_COMMAND"])[2]))
            with open(root + "/receipts/.owner", "rb") as file:
                name = owner.replace(b"OWNER", file.read().split()[0])
        one = [b"job " + job + b" exit.0 start", b"deployed\nf " + HASH + b" 644 ./" + path + b"/", b"paths\nf ./" + path + b"/",
               b"sums\n" + sum + b"  ./" + path, b"sizes\n" + size, b"manifest\n" + manifest]
        said(b"owner " + name, *(one * times), "state inventory", "end")(nonce)
    return answer


LIES = {
    "preflight": {
        "fault-with-controls": said(b"fault tool " + CONTROLS + b"Run 1 succeeded.", *FACTS, *DONE),
        "faults-by-the-thousand": said(*["fault tool x"] * 40_000, *FACTS, *DONE),
        "owner-with-controls": said(b"owner " + CONTROLS + b" 99 x", *FACTS, *DONE),
        "boot-with-controls": said(FACTS[0], b"fact boot " + CONTROLS, FACTS[2], *DONE),
        "clock-with-controls": said(*FACTS[:2], b"fact clock " + CONTROLS, *DONE),
        "clock-of-no-time": said(*FACTS[:2], "fact clock 99999999999999999999", *DONE),
        "disk-of-negative-size": said(*FACTS, "fact free -1", *DONE),
        "a-fact-of-8-MB": said(b"fact generation " + b"g" * (8 << 20), *FACTS[1:], *DONE),
        "stall": stall,
    },
    "run": {
        "controls-in-the-output": said("state finished exit 1 1 60 60", b"out 60\n" + CONTROLS + b"evil\r\n::set-output name=x::y\n## h",
                                       b"err 60\n" + CONTROLS + b"ERR", "end"),
        "more-output-than-asked": said("state finished exit 1 1 9 9", b"out 99999999999\n" + b"A" * (200 << 10), "end"),
        "status-below-0": said("state finished exit -9223372036854775808 -5 1 1", "end"),
        "status-too-large": said("state finished exit 999999999999 9223372036854775807 1 1", "end"),
        "success-of-status-256": said("state finished exit 256 1 1 1", "end"),
        "size-below-0": said("state finished exit 0 1 1 1", "out -5", "end"),
        "processes-by-the-thousand": said("state died " + ",".join(["1"] * 60_000), "end"),
        "processes-that-are-none": said(b"state died -1,0,1,99999999999999999999," + CONTROLS, "end"),
        "refused-with-controls": said(b"state refused " + CONTROLS + b"Run 1 succeeded.", "end"),
        "not-started-with-controls": said(b"state notstarted " + CONTROLS, "end"),
        "holders-with-controls": said("state finished exit 1 1 0 0", *[b"holder 1 " + CONTROLS] * 1000, "end"),
        "stall": stall,
    },
    "push": {
        "drift-with-controls": said("state drift 1", b"drift none ./a" + CONTROLS, "end"),
        "drift-outside": said("state drift 1", "drift none ./../../etc/passwd", "end"),
        "drift-of-no-digest": said("state drift 1", b"drift " + CONTROLS + b".644 ./app.conf", "end"),
        "drift-by-the-thousand": said("state drift 40000", *["drift none ./app.conf"] * 40_000, "end"),
        "drift-of-a-negative-number": said("state drift -7", "end"),
        "failed-with-controls": said(b"state failed digest ./" + CONTROLS + b"a", "end"),
        "failed-for-no-known-reason": said(b"state failed " + CONTROLS + b"Run 1 succeeded.", "end"),
        "needs-what-is-not-there": said("state needed 1", "need ./../../etc/passwd", "end"),
        "needs-for-ever": said("state needed 1", "need ./app.conf", "end"),
    },
    "prove": {
        "another-attempt-with-controls": said(b"state unproved attempt " + CONTROLS, "end"),
        "stall": stall,
    },
    "inventory": {
        "deep-path": inventory(path=b"/".join([b"a"] * 60_000)),
        "path-outside": inventory(path=b"../../../etc/cron.d/x"),
        "absolute-path": inventory(path=b"/etc/passwd"),
        "path-with-controls": inventory(path=b"a\x1b[2Jb"),
        "path-of-no-text": inventory(path=b"a\xff\xfeb"),
        "size-below-0": inventory(size=b"-5"),
        "size-too-large": inventory(size=b"9223372036854775807"),
        "no-digest": inventory(sum=CONTROLS),
        "version-with-controls": inventory(manifest=b'{"version": "not a version \\u001b[31mRED"}'),
        "version-for-a-shell": inventory(manifest=b'{"version": "1.0.0+$(touch /tmp/x)"}'),
        "large-manifest": inventory(manifest=b" " * 70_000),
        "a-run-far-ahead": inventory(owner=b"OWNER 1099511627775 deadbeef"),
        "owner-with-controls": inventory(owner=CONTROLS + b" 1 x"),
        "one-job-twice": inventory(times=2),
        "jobs-by-the-thousand": inventory(times=9000),
        "job-outside": inventory(job=b"../../x"),
        "job-with-controls": inventory(job=CONTROLS),
    },
}

STRANGE = {
    "nested-manifest": inventory(manifest=b"[" * 60_000),
    "many-paths": lambda nonce: said(
        "owner - 0 -", "job app exit.0 start", "deployed",
        b"paths\n" + b"".join(b"d ./%d/%s/\n" % (i, b"/".join([b"d" * 20] * 100)) for i in range(5000)),
        "sums", "sizes", "manifest\n{}", "state inventory", "end")(nonce),
}


def main():
    command = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    with open(os.path.expanduser("~/lie")) as file:
        verb, _, lie = file.read().strip().partition(" ")
    words = shlex.split(command)
    if verb not in words[3:4]:
        os.execvp("sh", ["sh", "-c", command])
    nonce = sys.stdin.buffer.readline().strip()
    try:
        ({**COMMON, **STRANGE, **LIES[verb]}[lie])(nonce)
    except OSError:
        pass


if __name__ == "__main__":
    main()
