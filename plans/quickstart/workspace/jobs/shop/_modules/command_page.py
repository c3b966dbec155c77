"""Prints the greeting of this version of the shop."""
import json
import pathlib

# A hook runs in the bucket's folder; of the job's own files only `_modules` goes with it.
print(json.loads(pathlib.Path("workspace/jobs/shop/shop.json").read_text())["greeting"])
