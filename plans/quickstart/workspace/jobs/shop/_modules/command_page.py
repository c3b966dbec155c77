"""Prints the greeting of this version of the shop."""
import json
import pathlib

print(json.loads((pathlib.Path(__file__).parent.parent / "shop.json").read_text())["greeting"])
