"""What can be wrong with files of a host: those that a user names, and images."""

from __future__ import annotations

from holdfast.errors import Condition, NotFound

ELSEWHERE = Condition("file-elsewhere", NotFound, "{path} is on another host")
