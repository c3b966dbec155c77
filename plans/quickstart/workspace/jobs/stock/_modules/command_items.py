"""Prints the items that this version of the stock starts with."""
import pathlib

print(pathlib.Path("workspace/jobs/stock/items.json").read_text(), end="")
