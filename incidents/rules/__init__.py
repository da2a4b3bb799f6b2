"""Pure rules: observations and a facility in, findings out."""
