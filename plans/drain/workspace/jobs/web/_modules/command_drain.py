"""Takes the allocation out of the load balancers, and waits for the end of the requests that it has."""
import haproxy

haproxy.on_each("drain", lambda row: row["scur"] == "0")
