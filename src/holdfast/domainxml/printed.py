"""Domain documents as other programs print them: ``virt-install --print-xml`` prints two, one after the other."""

from __future__ import annotations

import copy
import re

from holdfast.domainxml.document import Element, parse
from holdfast.errors import InvalidDocument

_DECLARATION = re.compile(r"<\?xml\s[^>]*\?>")


def last_domain(text: str) -> Element:
    """The last ``<domain>`` in ``text``.

    Of the two documents of virt-install the first is for the installation only, the last is the one that stays.
    Raises InvalidDocument, with the line.
    """
    documents = parse(f"<documents>{_DECLARATION.sub('', text)}</documents>")
    domains = [node for node in documents if isinstance(node.tag, str)]
    for node in domains:
        if node.tag != "domain":
            line = node.sourceline
            raise InvalidDocument(f"line {line}: expected <domain>, found <{node.tag!s}>", line=line)
    if not domains:
        raise InvalidDocument("there is no <domain> in this document")
    last = copy.deepcopy(domains[-1])
    last.tail = None
    return last
