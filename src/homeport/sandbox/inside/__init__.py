"""The program that stands between the server and a command: it runs in a process of its own.

Its modules use the standard library's cheapest parts only (no typing, json, re or dataclasses):
every millisecond of its start is paid by every command.
"""
