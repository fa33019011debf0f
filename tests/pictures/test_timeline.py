"""The pebble picture: lives of cached values, in the order of backpropagation."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

import matderiv as md
from matderiv.pictures import Timeline, timeline


def stack(layers: int) -> Timeline:
    steps = [f"w{k}: (M, M)\nh{k + 1} = relu(h{k} w{k})" for k in range(layers)]
    source = "\n".join(["h0: (B, M)", *steps, f"||h{layers}||^2"])
    return timeline(md.compile(source, [f"w{k}" for k in range(layers)]).plan)


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_pebbles_are_taken_up_in_the_reverse_order(layers: int) -> None:
    found = stack(layers)
    assert [life.name for life in found.cached] == [f"h{k + 1}" for k in range(layers)]
    assert [life.start for life in found.cached] == list(range(layers))
    ends = [life.end for life in found.cached]
    assert ends == sorted(ends, reverse=True)


def test_gradients_are_ready_from_the_last_layer_to_the_first() -> None:
    found = stack(4)
    assert [life.name for life in found.gradients] == [f"w{k}.grad" for k in (3, 2, 1, 0)]


def test_the_cache_is_fullest_at_the_turn() -> None:
    found = stack(4)
    kept = [found.kept(place) for place in range(len(found.moments))]
    turn = sum(moment.phase == "forward" for moment in found.moments)
    assert kept[: turn - 1] == sorted(kept[: turn - 1])
    assert kept[turn:] == sorted(kept[turn:], reverse=True)
    assert max(kept) == sum(life.bytes for life in found.cached)


def test_no_backward_no_pebbles() -> None:
    found = timeline(md.compile("||X w - y||^2").plan)
    assert not found.cached
    assert not found.gradients
    assert ElementTree.fromstring(found.to("svg")).get("width")


def test_both_formats_show_every_life() -> None:
    found = stack(3)
    text, picture = found.to("text"), found.to("svg")
    for life in [*found.cached, *found.gradients]:
        assert life.name in text
        assert f">{life.name}<" in picture
    assert "w2.grad is ready" in text
    with pytest.raises(md.MatderivError, match="text, svg"):
        found.to("png")


def test_a_loop_is_one_pebble_for_all_layers() -> None:
    source = "x: (B, M); W: (N, M, M)\nz = x\nrepeat l in N { z = relu(z W[l]) }\n||z||^2"
    found = timeline(md.compile(source, "W").plan)
    assert [life.name for life in found.gradients] == ["W.grad"]
    assert found.cached
