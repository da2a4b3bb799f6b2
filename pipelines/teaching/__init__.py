"""Teaching a site's roles: crops out of footage, labels, and the model that is kept of them."""
