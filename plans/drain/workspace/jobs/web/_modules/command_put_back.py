"""Puts the allocation back into the load balancers, and waits until their own checks have found it."""
import haproxy

haproxy.on_each("ready", lambda row: row["status"].startswith("UP"))
