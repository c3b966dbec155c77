"""What a hook can ask of the rollout that runs it: variables, secrets, demands, semaphores, its worker.

    import maand

    maand.put_job_variable("schema", "12").raise_for_status()
    password = maand.get_kv_value("secrets/job/api", "db_password")

Nothing but Python's own library is needed. The functions are those of Maand's module of this name. Functions that ask the
rollout return a `Response`, which has the attributes of a response of `requests` that hooks use: `status_code`, `ok`,
`text`, `content`, `headers`, `json()` and `raise_for_status()`.
"""

import difflib
import hmac
import http.client
import json as _json
import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

# A rollout that was killed and is continued answers again; so long a hook waits for that, in seconds.
PATIENCE = 600


class HTTPError(IOError):
    """The rollout refused a request; `response` says why."""

    def __init__(self, message, response=None):
        super().__init__(message)
        self.response = response


class Response:
    """An answer of the rollout."""

    def __init__(self, method, url, status, reason, headers, content):
        self.url = url
        self.status_code = status
        self.reason = reason
        self.headers = headers
        self.content = content
        self._method = method

    @property
    def text(self):
        return self.content.decode("utf-8")

    @property
    def ok(self):
        return self.status_code < 400

    def __bool__(self):
        return self.ok

    def __repr__(self):
        return "<Response [%d]>" % self.status_code

    def json(self):
        return _json.loads(self.content)

    def raise_for_status(self):
        if not self.ok:
            path = urllib.parse.urlsplit(self.url).path
            raise HTTPError(
                "%d for %s %s: %s" % (self.status_code, self._method, path, self.text.strip()), response=self)


class NotTheRollout(ConnectionError):
    """What answers at MAAND_API_URL is not the rollout that started this hook. It was not told the token."""


class _Socket(http.client.HTTPConnection):
    """HTTP over the rollout's Unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        if len(os.fsencode(self._path)) <= 107:
            self.sock.connect(self._path)
            return
        # The address of a socket holds no longer path.
        folder = os.open(os.path.dirname(self._path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sock.connect("/proc/self/fd/%d/%s" % (folder, os.path.basename(self._path)))
        finally:
            os.close(folder)


def _code(token, text):
    return hmac.new(token.encode(), text.encode(), "sha256").hexdigest()


def _prove(connection, address, token):
    """Makes sure that the rollout is at the other end, before it is told the token on this same connection."""
    challenge = os.urandom(32).hex()
    try:
        connection.request("GET", "/hello?hook=%s&challenge=%s" % (_code(token, "maand hook"), challenge))
        answer = connection.getresponse()
        proof = _json.loads(answer.read(4096))["proof"] if answer.status == 200 else ""
        expected = _code(token, "maand server\n%s\n%s" % (address, challenge))
        if not hmac.compare_digest(str(proof).encode(), expected.encode()) or connection.sock is None:
            raise ValueError()
        answer.close()
    except (OSError, ValueError, KeyError, TypeError, RecursionError, http.client.HTTPException) as error:
        raise NotTheRollout(
            "what listens at %s is not the rollout that started this hook, or the hook has ended" % address) from error


def _connect(timeout, token):
    """A connection with the rollout, and the address for messages."""
    path = os.environ.get("MAAND_API_SOCKET")
    if path:
        connection = _Socket(path, timeout)
        connection.connect()
        return connection, "http://localhost"
    base = os.environ["MAAND_API_URL"]
    address = urllib.parse.urlsplit(base).netloc
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.connect()
    # It is never opened again: another one would have proved nothing.
    connection.auto_open = 0
    try:
        _prove(connection, address, token)
    except BaseException:
        connection.close()
        raise
    connection.sock.settimeout(timeout)
    return connection, base


def _request(method, path, body=None, timeout=60, once=False):
    """Asks the rollout. What may happen only once is not sent again."""
    token = os.environ.get("MAAND_API_TOKEN")
    if not token or not (os.environ.get("MAAND_API_SOCKET") or os.environ.get("MAAND_API_URL")):
        raise RuntimeError(
            "MAAND_API_SOCKET and MAAND_API_TOKEN are not set: this script has to be run by maand-apply, as a hook of a job")
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    data = None if body is None else _json.dumps(body).encode("utf-8")
    until = time.monotonic() + PATIENCE
    pause = 0.1
    while True:
        connection = None
        is_sent = False
        try:
            connection, base = _connect(timeout, token)
            # Every other request may be sent twice: it says what is to be, not what is to change.
            is_sent = True
            connection.request(method, path, body=data, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            # Too much is asked at once: there is room again soon.
            if answer.status != 503 or time.monotonic() + pause > until:
                return Response(
                    method, base + path, answer.status, answer.reason, dict(answer.getheaders()), content)
        except (ConnectionError, FileNotFoundError, BlockingIOError, http.client.IncompleteRead,
                http.client.BadStatusLine, http.client.NotConnected) as error:
            if once and is_sent:
                raise ConnectionError(
                    "the rollout ended while it was asked for %s: the outcome is unknown" % path) from error
            if time.monotonic() + pause > until:
                raise
        finally:
            if connection is not None:
                connection.close()
        time.sleep(pause)
        pause = min(pause * 2, 2)


# --- Who this hook is ---


def allocation_id():
    return os.environ.get("ALLOCATION_ID")


def allocation_ip():
    return os.environ.get("ALLOCATION_IP")


def allocation_index():
    return os.environ.get("ALLOCATION_INDEX")


def is_allocation_disabled():
    return os.environ.get("DISABLED") == "1"


def job_name():
    return os.environ.get("JOB")


def command_name():
    return os.environ.get("COMMAND")


def command_event():
    return os.environ.get("EVENT")


# --- Variables and secrets ---


def get_store_value(namespace, key):
    """The value of a key, as a response with `namespace`, `key` and `value`."""
    return _request("GET", "/kv", {"namespace": namespace, "key": key})


def get_kv_value(namespace, key):
    """The value of a key as a text; `HTTPError` where there is none."""
    response = get_store_value(namespace, key)
    response.raise_for_status()
    return response.json()["value"]


def put_job_variable(key, value):
    """Sets a key of vars/job/<this job>. It holds when this hook has succeeded."""
    return _put("/kv", "vars/job/", key, value)


def put_job_secret(key, value):
    """Sets a key of secrets/job/<this job>, which is stored encrypted. It holds when this hook has succeeded."""
    return _put("/kv/secret", "secrets/job/", key, value)


def delete_job_variable(key):
    return _delete("/kv", "vars/job/", key)


def delete_job_secret(key):
    return _delete("/kv/secret", "secrets/job/", key)


def list_job_keys(namespace=None):
    """The keys of this job's variables and secrets, as a response with `namespaces`."""
    return _request("GET", "/kv/keys", {} if namespace is None else {"namespace": namespace})


def put_rollout_order(order):
    """Sets the order in which this rollout takes the job's workers: a list of all of them, or a text with commas.

    Only hooks of the events pre_deploy and cli may.
    """
    if not isinstance(order, str):
        order = ",".join(part for part in (str(item).strip() for item in order) if part)
    return _put("/kv", "maand/job/", "rollout_order", order)


def get_rollout_order():
    return get_store_value("maand/job/" + str(job_name()), "rollout_order")


def _put(path, namespace, key, value):
    return _request("PUT", path, {"namespace": namespace + str(job_name()), "key": key, "value": value})


def _delete(path, namespace, key):
    return _request("DELETE", path, {"namespace": namespace + str(job_name()), "key": key})


# --- Demands and semaphores ---


def list_command_demands():
    """The commands of other jobs that demand this one, each with `job`, `command` and `demand_config`."""
    return _request("GET", "/demands")


def acquire_semaphore(name, capacity=1, timeout_seconds=600):
    """Waits until this allocation is one of at most `capacity` that hold the semaphore of this job and event.

    It is released by `release_semaphore`, and when the hook ends.
    """
    body = {"name": name, "capacity": capacity, "timeout_seconds": timeout_seconds}
    return _request("POST", "/semaphore/acquire", body, timeout=max(timeout_seconds, 600) + 30)


def release_semaphore(name):
    return _request("POST", "/semaphore/release", {"name": name})


def semaphore_status(name):
    """A response with `capacity`, `holders`, `waiting` and `available`."""
    return _request("GET", "/semaphore/status?" + urllib.parse.urlencode({"name": name}))


# --- The worker ---


def find_bucket_root():
    """The folder with maand.conf."""
    for start in (Path.cwd().resolve(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if (folder / "maand.conf").is_file():
                return folder
    raise FileNotFoundError("maand.conf is neither above %s nor above %s" % (Path.cwd(), Path(__file__).parent))


def _configuration():
    """The keys of maand.conf, as texts."""
    found = {}
    for line in (find_bucket_root() / "maand.conf").read_text().splitlines():
        key, mark, value = line.strip().partition("=")
        if mark and not key.startswith("#"):
            value = value.strip()
            if value[:1] in ("'", '"') and value.find(value[0], 1) > 0:
                value = value[1 : value.find(value[0], 1)]
            else:
                value = value.split("#")[0].strip()
            found[key.strip()] = value
    return found


def load_ssh():
    """`(user, key file, use sudo)` as maand.conf has them."""
    conf = _configuration()
    key = find_bucket_root() / "secrets" / conf.get("ssh_key", "worker.key")
    if not key.is_file():
        raise FileNotFoundError("there is no key %s" % key)
    return conf.get("ssh_user", "agent"), key, conf.get("use_sudo", "true") == "true"


def run_ssh(worker_ip, remote_cmd, timeout=300, check=True, connect_timeout=15, *, input=None):
    """Runs a command line on a worker, over the connection of the rollout, and returns a `subprocess.CompletedProcess`.

    `remote_cmd` is for bash, or for sh where there is no bash. It runs as targets do: with the user of the worker, through
    sudo where maand.conf says so. `input` is what it reads from standard input. After `timeout` seconds it is ended, and
    `subprocess.TimeoutExpired` is raised. As with ssh, 255 is the status where the worker cannot be reached.
    `connect_timeout` has no effect: that of maand.conf counts.
    """
    timeout = int(timeout)
    body = {"worker": str(worker_ip), "command": remote_cmd, "timeout_seconds": timeout}
    if input is not None:
        body["input"] = input if isinstance(input, str) else bytes(input).decode("utf-8")
    response = _request("POST", "/worker/command", body, timeout=timeout + 3600, once=True)
    response.raise_for_status()
    answer = response.json()
    for stream in ("stdout", "stderr"):
        if answer[stream + "_left_out"]:
            print("maand: of %s of the command on %s, the first %d bytes are left out"
                  % (stream, worker_ip, answer[stream + "_left_out"]), file=sys.stderr)
    if answer["timed_out"]:
        raise subprocess.TimeoutExpired(remote_cmd, timeout, answer["stdout"], answer["stderr"])
    result = subprocess.CompletedProcess(remote_cmd, answer["exit_status"], answer["stdout"], answer["stderr"])
    if check:
        result.check_returncode()
    return result


def run_make_target(target, *, worker_ip=None, job=None, timeout=300):
    """Runs a target of a job's Makefile in the job's folder on a worker."""
    conf = _configuration()
    root = conf.get("worker_root", "/opt/worker")
    if conf.get("transport") == "local":
        root = root.lstrip("/")
    folder = "%s/%s/jobs/%s" % (root, get_kv_value("maand/bucket", "bucket_id"), job or job_name())
    return run_ssh(
        worker_ip or allocation_ip(), "make -C %s %s" % (shlex.quote(folder), shlex.quote(target)), timeout=timeout)


def run_runner_target(target, *, worker_ip=None, job=None, timeout=300):
    """The same as `run_make_target`: there is no runner on the workers."""
    return run_make_target(target, worker_ip=worker_ip, job=job, timeout=timeout)


# --- Other names of Maand's ---

list_hook_demands = list_command_demands

get_allocation_id = allocation_id
get_allocation_ip = allocation_ip
get_allocation_index = allocation_index
get_event = command_event
get_command = command_name
get_job = job_name
get_demands = list_command_demands
kv_get = get_store_value
kv_put = put_job_variable
kv_put_secret = put_job_secret
put_deploy_order = put_rollout_order
get_deploy_order = get_rollout_order

# --- Names that Maand's documents have and its module has not ---

job = job_name
worker = allocation_ip


def env(name=None, default=None):
    """The variables that this hook has got, or one of them."""
    return dict(os.environ) if name is None else os.environ.get(name, default)


class kv:
    """Values by `kv.get(KEY)` and `kv.put(KEY, VALUE)`: of vars/job/<this job>, if no namespace is named before the key."""

    @staticmethod
    def get(*place):
        namespace, key = kv._place(place)
        return get_kv_value(namespace, key)

    @staticmethod
    def put(*place_and_value):
        namespace, key = kv._place(place_and_value[:-1])
        kv._request("PUT", namespace, {"key": key, "value": place_and_value[-1]})

    @staticmethod
    def delete(*place):
        namespace, key = kv._place(place)
        kv._request("DELETE", namespace, {"key": key})

    @staticmethod
    def keys(namespace=None):
        namespace = namespace or "vars/job/%s" % job_name()
        response = list_job_keys(namespace)
        response.raise_for_status()
        return response.json()["namespaces"].get(namespace, [])

    @staticmethod
    def _place(words):
        if len(words) == 1:
            return "vars/job/%s" % job_name(), words[0]
        if len(words) == 2:
            return words
        raise TypeError("name a key, or a namespace and a key")

    @staticmethod
    def _request(method, namespace, fields):
        path = "/kv/secret" if namespace.startswith("secrets/") else "/kv"
        _request(method, path, dict(fields, namespace=namespace)).raise_for_status()


def __getattr__(name):
    """Called for names that the module has not."""
    if name.startswith("__"):
        raise AttributeError(name)
    known = sorted(word for word, value in globals().items() if not word.startswith("_") and callable(value))
    plain = "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)
    near = [plain] if plain in known else difflib.get_close_matches(plain, known, n=1)
    raise AttributeError(
        "module maand has no %s%s. docs/hooks.md lists its functions" % (
            name, "; did you mean %s?" % near[0] if near else ""))
