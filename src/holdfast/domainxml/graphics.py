"""``<graphics>``: the screen on the host. The guest has a ``<video>`` and does not know who looks at it."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "graphics",
    host="""
        @address @autoport @connected @defaultMode @display @fullscreen @keymap @listen @multiUser @p2p @passwd
        @passwdValidTo @port @powerControl @replaceUser @sharePolicy @socket @tlsPort @type @websocket @xauth
        audio@id channel@name,mode clipboard@copypaste filetransfer@enable gl@enable,rendernode image@compression
        jpeg@compression listen@type,address,network,socket mouse@mode playback@compression streaming@mode
        zlib@compression
    """,
    unseen="*",
)
