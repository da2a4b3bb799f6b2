"""How the two face models are taught: where faces are, and whether each is masked."""
