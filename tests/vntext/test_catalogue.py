"""Sentences come from the catalogue files, and a missing one is an error."""

import pytest

from vntext.catalogue import UnknownMessageError, lookup, names, say


def test_lists_its_files():
    assert "emergency" in names()


def test_fills_in_variables():
    assert say("emergency.reply.114", numbers="114", meanwhile="Ra ngoài.").startswith("114: gọi ngay")


def test_gives_lists_and_mappings_whole():
    assert "fire" in lookup("emergency.meanwhile")


@pytest.mark.parametrize("key", ["nothing.here", "emergency.reply.911", "emergency.reply.114.more"])
def test_an_unknown_key_is_an_error(key):
    with pytest.raises(UnknownMessageError):
        lookup(key)


def test_a_missing_variable_is_an_error():
    with pytest.raises(KeyError):
        say("emergency.reply.114", numbers="114")


def test_a_mapping_is_no_sentence():
    with pytest.raises(TypeError):
        say("emergency.meanwhile")


def test_every_file_is_a_mapping():
    for name in names():
        assert isinstance(lookup(name), dict)
