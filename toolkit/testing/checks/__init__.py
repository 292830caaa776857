"""One file for each promise that a plugin makes its users. Every check raises ``ConformanceError`` if it is broken."""
