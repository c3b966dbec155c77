"""Prints the items that this version of the stock starts with."""
import pathlib

print((pathlib.Path(__file__).parent.parent / "items.json").read_text(), end="")
