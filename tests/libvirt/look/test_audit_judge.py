"""Documents that are alike are judged once: what is said of each is what would be said of it alone."""

from __future__ import annotations

import uuid

from holdfast.domainxml.document import parse
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.audit.judge import Judge
from tests.corpus import CORPUS
from tests.libvirt.domains import CONFIG


def test_every_domain_of_the_corpus_and_its_twin_are_judged_as_if_alone(connection: Connection) -> None:
    judge = Judge(connection)
    texts = []
    for sample in CORPUS.values():
        if sample.can_define:
            domain = connection.define(sample.document())
            texts.append(domain.xml(CONFIG))
            texts.append(texts[-1].replace(domain.uuid, str(uuid.uuid4())).replace("/nowhere/", "/somewhere/&lt;else/"))
        else:
            texts.append(sample.document())
    assert len(texts) > 250
    differing = [text for text in texts if judge.judge_text(text) != judge.judge(parse(text))]
    assert differing == []
