"""``<graphics>``: how people see the guest's screen. The guest has a ``<video>``, and cannot tell who looks at it."""

from __future__ import annotations

from holdfast.domainxml.document import Element
from holdfast.domainxml.sides import Sides

WITH_PASSWORD = ("vnc", "spice")
"""The kinds of graphics that can ask for a password."""


def set_password(graphics: Element, password: str) -> None:
    """Demand this password of whoever wants to look; an empty one demands none."""
    if password:
        graphics.set("passwd", password)
    else:
        graphics.attrib.pop("passwd", None)


SIDES = Sides(
    "graphics",
    host="""
        @address @autoport @connected @defaultMode @display @fullscreen @keymap @listen @multiUser @p2p @passwd
        @passwdValidTo @port @powerControl @replaceUser @sharePolicy @socket @tlsPort @type @username @wait @websocket
        @xauth audio@id channel@name,mode clipboard@copypaste filetransfer@enable gl@enable,rendernode image@compression
        jpeg@compression listen@type,address,network,socket mouse@mode playback@compression streaming@mode
        zlib@compression
    """,
    unseen="*",
)
