"""The footage ring: the packets of live cameras on disk, and windows of them."""
