"""Extensions that ship with the core, found through entry points like anyone else's."""
