"""Teaching the roles of a facility: crops from footage, their labels, and the role model trained on them."""
