"""The forms in which weights run: exports, their verification, and the choice among them."""
