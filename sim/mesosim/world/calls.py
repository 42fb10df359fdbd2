"""The calls of the Board port by name and form, and which kinds of fault make sense for each."""

KINDS = (
    "stuck",
    "dropped",
    "spike",
    "late",
    "exception",
    "flipped_bit",
    "duplicate",
    "stale",
    "wrong_sign",
    "reset",
)

FORMS = range(7)
NUMBER, FLAG, ACT, SET, FEED, TAKE, GIVE = FORMS
"""Forms of a call: reads a number, reads a flag, acts, sets a level, feeds a table, fills a buffer, takes a buffer."""

_AXIS = (("room", NUMBER), ("busy", FLAG), ("position", NUMBER), ("stop", ACT), ("feed", FEED))
_BOARD = (
    ("now", NUMBER),
    ("inputs", NUMBER),
    ("index_count", NUMBER),
    ("index_tick", NUMBER),
    ("index_position", NUMBER),
    ("protrusion_um", NUMBER),
    ("needle_um", NUMBER),
    ("pressure_pa", NUMBER),
    ("encoder", NUMBER),
    ("battery_mv", NUMBER),
    ("program_intact", FLAG),
    ("enable", SET),
    ("permit", SET),
    ("light", SET),
    ("feed_deadman", ACT),
    ("nonce", TAKE),
    ("receive", TAKE),
    ("send", GIVE),
    ("store.read", TAKE),
    ("store.write", GIVE),
    ("files.read", TAKE),
    ("files.write", GIVE),
    ("shelf.names", ACT),
    ("shelf.read", TAKE),
    ("shelf.begin", ACT),
    ("shelf.write", GIVE),
    ("shelf.end", ACT),
    ("shelf.remove", ACT),
    ("restart", ACT),
    ("chip.identity", TAKE),
    ("chip.read", TAKE),
    ("chip.write", GIVE),
)
CALLS = (
    _BOARD
    + tuple((axis + "." + name, form) for axis in ("drive", "depth", "plunger") for name, form in _AXIS)
    + (("drive.park", ACT), ("drive.release", ACT), ("depth.home", ACT))
)
"""Every call of the port with its form."""

_ALWAYS = ("stuck", "dropped", "late", "exception", "reset")
_FITTING = {
    NUMBER: _ALWAYS + ("spike", "flipped_bit", "stale", "wrong_sign"),
    FLAG: _ALWAYS + ("flipped_bit", "stale"),
    ACT: _ALWAYS + ("duplicate",),
    SET: _ALWAYS + ("spike", "flipped_bit", "duplicate", "stale"),
    FEED: _ALWAYS + ("flipped_bit", "duplicate", "stale", "wrong_sign"),
    TAKE: _ALWAYS + ("spike", "flipped_bit", "stale"),
    GIVE: _ALWAYS + ("spike", "flipped_bit", "duplicate", "stale"),
}
BUFFER_AT = {
    "nonce": 0,
    "receive": 0,
    "send": 0,
    "store.read": 1,
    "store.write": 1,
    "files.read": 1,
    "files.write": 1,
    "shelf.read": 2,
    "shelf.write": 0,
    "chip.identity": 0,
    "chip.read": 1,
    "chip.write": 1,
}
"""Which argument is the buffer."""


def form_of(name: str) -> int:
    """The form of a call; ValueError for a name that is none."""
    for known, form in CALLS:
        if known == name:
            return form
    raise ValueError("no Board call %r: one of mesosim.world.calls.CALLS" % name)


def fits(name: str, kind: str) -> bool:
    """Whether a kind of fault makes sense for a call; ValueError for an unknown name or kind."""
    if kind not in KINDS:
        raise ValueError("no kind of fault %r: one of %s" % (kind, ", ".join(KINDS)))
    form = form_of(name)
    return kind in _FITTING[form] or (name == "receive" and kind == "duplicate")
