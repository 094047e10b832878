"""Servers and clients for the tests of the language model tagger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from llm_servers import Answerer, Scripted, serve, start_llama

from tagcf.tags.llm.client import Client
from tagcf.tags.llm.server import Server
from tagcf.tags.vocabulary import FACETS, Vocabulary, ancestors, default_vocabulary


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a llama.cpp server whose model sees pictures."""
    server, address = start_llama(tmp_path_factory.mktemp("llama"), eyes=True)
    yield address
    del server


@pytest.fixture(scope="session")
def blind_llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a llama.cpp server without an image projector."""
    server, address = start_llama(tmp_path_factory.mktemp("blind"), eyes=False)
    yield address
    del server


@pytest.fixture
def scripted() -> Iterator[Callable[[Answerer], Scripted]]:
    """``scripted(answer)``: answer(body, number of the request from 0) gives each reply."""
    running: list[ThreadingHTTPServer] = []

    def start(answer: Answerer) -> Scripted:
        server, told = serve(answer)
        running.append(server)
        return told

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """``connect(address, retries=…)``: a client that is closed after the test."""
    clients: list[Client] = []

    def make(address: str, **settings: Any) -> Client:
        clients.append(Client(Server(address, **{"model": "tiny", **settings})))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    """Some tags of every facet, so that placing them takes no time."""
    every = default_vocabulary().tags
    by_slug = {tag.slug: tag for tag in every}
    chosen = {"dogs", "cats", "camping", "sadness", "warmth"}
    for facet in FACETS:
        chosen |= set([tag.slug for tag in every if tag.facet == facet][:6])
    for slug in tuple(chosen):
        chosen |= set(ancestors(by_slug[slug], by_slug))
    return Vocabulary(tuple(tag for tag in every if tag.slug in chosen), "some")
