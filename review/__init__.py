"""Pages in a browser: today the page that teaches roles."""
