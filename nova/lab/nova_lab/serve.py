"""Runs in a virtual environment of OpenStack: ``serve.py MODULE ADDRESS PORT`` serves its WSGI application."""

from __future__ import annotations

import importlib
import sys

LARGEST = 1 << 34
"""Bytes of an image that is uploaded; waitress alone takes less than 1 GiB, which is a snapshot from Ceph."""

if __name__ == "__main__":
    module, address, port = sys.argv[1:]
    sys.argv[1:] = []  # services read their own options from there
    sys.path.pop(0)  # this file's folder, where modules have names of their own
    application = importlib.import_module(module).application
    serve = importlib.import_module("waitress").serve
    serve(application, host=address, port=int(port), threads=8, max_request_body_size=LARGEST)
