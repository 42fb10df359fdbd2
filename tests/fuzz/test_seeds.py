"""The fuzzers' seeds hold without a fuzzer, and reach what they are there for."""

from __future__ import annotations

from tests.fuzz import decoder, session


def test_the_decoders_take_their_seeds() -> None:
    target = decoder.Target()
    for seed in decoder.seeds():
        frames = target.frames
        target.run(seed)
        assert target.frames == frames + 1


def test_the_device_lives_through_its_seeds() -> None:
    given = []
    for seed in session.seeds():
        device = session.Device()
        device.run(seed)
        given.append(device.most_nl)
    assert given[0] > 30_000, "a prime and a dose are to be given in full"
    assert sum(nl > 0 for nl in given) > 5, "and others be cut short"
