"""Who people are: resident, staff or outsider, as far as is known, and never a guess.

`features` and `fitting` learn what roles wear at a site, `model` is what remains of that, `reading` looks
at people with it, and `assignment` weighs the readings of a track with where the person came from.
"""

from vision.roles.assignment import MIN_ROLE_CONFIDENCE, assign_roles

__all__ = ["MIN_ROLE_CONFIDENCE", "assign_roles"]
