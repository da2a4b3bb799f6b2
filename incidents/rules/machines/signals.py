"""The kinds of signals, and what their two numbers stand for."""

from __future__ import annotations

PLACE, MASKS, CONTACT, GATHERING = 0, 1, 2, 3
"""A machine is due: its incident was opened, must be alerted, or exceeded its limit. The numbers are the slot
of the person, pair or gathering, and the number of the machine there."""
ROLE = 4
"""The role of a person changed, or what it rests on: the slot of the person."""
LINK = 5
"""A person continues another one: the slots of the earlier and of the later person."""
EXIT = 6
"""A person was seen to come out of a door: the slot of the person."""
LEFT = 7
"""A person can no longer come back: the slot, which is free from now on, and the person's uid."""

ENDED = 8
"""What an incident rests on has ended, and the incident may be closed sooner than it seemed: the slot of the
person, and the number of the machine of a place."""

DONE, PAUSED, SIGNALLED, FULL_PERSONS, FULL_PAIRS, FULL_GATHERINGS, FULL_ROOM = 0, 1, 2, 3, 4, 5, 6
"""Why the machines stopped: all rows are done, the pause is reached, there are signals to read, or a table or
the room for an instant is too small (before anything of the instant was done)."""
