"""What the pictures of a camera tell about the camera itself: frozen, covered, dark, blurred, moved."""
