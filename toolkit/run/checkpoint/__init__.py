"""What a run keeps to go on from, and what makes sure that it goes on as it began. Private to the core."""
