"""Live cameras: connections, their clock, and the footage they leave."""
