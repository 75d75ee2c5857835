"""Domain documents as other programs print them: ``virt-install --print-xml`` prints two, one after the other."""

from __future__ import annotations

import copy
import re

from holdfast.domainxml.document import Element, parse
from holdfast.errors import InvalidDocument
from holdfast.errors.documents import OTHER_ELEMENT

_MORE_THAN_ONE = "Extra content at the end of the document"
"""libxml2's words when a second element follows the first."""

_DECLARATION = re.compile(r"<\?xml\s[^>]*\?>")


def last_domain(text: str) -> Element:
    """The last ``<domain>`` in ``text``.

    Of the two documents of virt-install the first is for the installation only, the last is the one that stays.
    Raises InvalidDocument, with the line.
    """
    text = _DECLARATION.sub("", text)
    try:
        return parse(text, "domain")
    except InvalidDocument as error:
        if _MORE_THAN_ONE not in error.message:
            raise
    documents = [
        node for node in parse(f"<documents>{_DECLARATION.sub('', text)}</documents>") if isinstance(node.tag, str)
    ]
    for node in documents:
        if node.tag != "domain":
            raise OTHER_ELEMENT(line=node.sourceline, expected="domain", found=node.tag)
    last = copy.deepcopy(documents[-1])
    last.tail = None
    return last
