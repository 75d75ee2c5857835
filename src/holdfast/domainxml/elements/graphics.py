"""``<graphics>``: the screen on the host. The guest has a ``<video>`` and does not know who looks at it."""

from __future__ import annotations

from holdfast.domainxml.document import Element
from holdfast.domainxml.sides import Sides

WITH_PASSWORD = ("vnc", "spice")
"""The kinds of graphics that ask for a password."""


def set_password(graphics: Element, password: str) -> None:
    """Ask whoever wants to look for this password; an empty one stands for none."""
    if password:
        graphics.set("passwd", password)
    else:
        graphics.attrib.pop("passwd", None)


SIDES = Sides(
    "graphics",
    host="""
        @address @autoport @connected @defaultMode @display @fullscreen @keymap @listen @multiUser @p2p @passwd
        @passwdValidTo @port @powerControl @replaceUser @sharePolicy @socket @tlsPort @type @username @websocket @xauth
        audio@id channel@name,mode clipboard@copypaste filetransfer@enable gl@enable,rendernode image@compression
        jpeg@compression listen@type,address,network,socket mouse@mode playback@compression streaming@mode
        zlib@compression
    """,
    unseen="*",
)
